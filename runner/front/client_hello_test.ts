import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { ClientHelloReader, type HelloState, MAX_HELLO_BYTES } from "./client_hello.ts";
import { helloMessage, records, serverNameContent } from "./testing/hello.ts";

function read(bytes: Uint8Array): HelloState {
  return new ClientHelloReader().read(bytes);
}

Deno.test("The server name is found in a ClientHello, in lower case and without a trailing dot", () => {
  for (const serverName of ["a.test", "A.Test", "a.test."]) {
    assert.deepEqual(read(records(helloMessage({ serverName }))), { serverName: "a.test" });
  }
});

Deno.test("A ClientHello may come in any pieces and in any records", () => {
  for (const recordSize of [1, 2, 3, 7, 100, 16_384]) {
    const bytes = records(helloMessage({ extensions: [[21, new Array(500).fill(0)]] }), recordSize);
    const reader = new ClientHelloReader();
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(reader.read(bytes.slice(0, end)), "incomplete", `${end} bytes`);
    }
    assert.deepEqual(reader.read(bytes), { serverName: "a.test" });
  }
});

Deno.test("A ClientHello of almost 64 KB is read, a larger one is refused", () => {
  const long = (bytes: number) =>
    records(
      helloMessage({ extensions: [21, 22, 23, 24].map((type) => [type, new Array(bytes / 4).fill(0)]) }),
    );
  assert.deepEqual(read(long(60_000)), { serverName: "a.test" });
  assert.deepEqual(read(long(70_000)), { alert: "decodeError" });
  const endless = new Uint8Array(MAX_HELLO_BYTES).fill(0);
  for (let at = 0; at < endless.length; at += 16_000 + 5) {
    endless.set([22, 3, 1, 16_000 >> 8, 16_000 & 255], at);
  }
  endless.set([1, 0, 255, 255], 5);
  assert.deepEqual(read(endless), { alert: "decodeError" });
});

Deno.test("What is not a ClientHello is refused for its own reason", () => {
  const cases: [string, Uint8Array, HelloState][] = [
    ["no name", records(helloMessage({ serverName: null })), { alert: "missingExtension" }],
    ["no extensions", withoutExtensions(), { alert: "missingExtension" }],
    ["IPv4", records(helloMessage({ serverName: "192.0.2.1" })), { alert: "unrecognizedName" }],
    ["IPv6", records(helloMessage({ serverName: "2001:db8::1" })), { alert: "unrecognizedName" }],
    ["port", records(helloMessage({ serverName: "a.test:443" })), { alert: "illegalParameter" }],
    ["space", records(helloMessage({ serverName: "a test" })), { alert: "illegalParameter" }],
    ["NUL", records(helloMessage({ serverName: "a.test\0.b" })), { alert: "illegalParameter" }],
    ["UTF-8", records(helloMessage({ serverName: "\xc3\xbc.test" })), { alert: "illegalParameter" }],
    ["empty label", records(helloMessage({ serverName: "a..test" })), { alert: "illegalParameter" }],
    ["254 characters", records(helloMessage({ serverName: "a".repeat(250) + ".abc" })), {
      alert: "illegalParameter",
    }],
    ["empty name", records(helloMessage({ serverName: "" })), { alert: "decodeError" }],
    ["two names", records(helloMessage({ extensions: [[0, serverNameContent("b.test")]] })), {
      alert: "illegalParameter",
    }],
    ["empty list", records(helloMessage({ serverNameContent: [0, 0] })), { alert: "decodeError" }],
    ["other type of name", records(helloMessage({ serverNameContent: [0, 4, 1, 0, 1, 97] })), {
      alert: "decodeError",
    }],
    ["list too long", records(helloMessage({ serverNameContent: [0, 9, 0, 0, 1, 97] })), {
      alert: "decodeError",
    }],
    ["after the list", records(helloMessage({ serverNameContent: [0, 4, 0, 0, 1, 97, 0] })), {
      alert: "decodeError",
    }],
    ["ServerHello", records(helloMessage({ messageType: 2 })), { alert: "unexpectedMessage" }],
    ["too short", records([1, 0, 0, 3, 3, 3, 7]), { alert: "decodeError" }],
    ["empty record", Uint8Array.of(22, 3, 1, 0, 0), { alert: "decodeError" }],
    ["record too long", Uint8Array.of(22, 3, 1, 0x40, 1), { alert: "decodeError" }],
    ["version 2", Uint8Array.of(22, 2, 0, 0, 9), { alert: "decodeError" }],
    ["alert in between", interrupted(), { alert: "unexpectedMessage" }],
    ["HTTP", new TextEncoder().encode("GET / HTTP/1.1\r\n"), "http"],
    ["SSL 2", Uint8Array.of(0x80, 0x2e, 1, 0, 2), "foreign"],
    ["alert", Uint8Array.of(21, 3, 1, 0, 2, 2, 0), "foreign"],
    ["empty line", new TextEncoder().encode("\r\n"), "foreign"],
  ];
  for (const [name, bytes, expected] of cases) assert.deepEqual(read(bytes), expected, name);
});

Deno.test("Whatever arrives is judged the same in one piece and in many, without an error", () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const random = new SeededRandom(seed);
    const hello = records(helloMessage({ serverName: "name.test" }), random.pick([1, 5, 30, 16_384]));
    const bytes = random.chance(0.9) ? random.mutate(hello) : hello;
    const whole = read(bytes);
    const reader = new ClientHelloReader();
    let state: HelloState = "incomplete";
    let end = 0;
    for (const piece of random.split(bytes)) {
      end += piece.length;
      state = reader.read(bytes.slice(0, end));
      if (state !== "incomplete") break;
    }
    assert.deepEqual(state, whole, `seed ${seed}`);
    if (typeof whole === "object" && "serverName" in whole) assert.match(whole.serverName, /^[a-z0-9._-]+$/);
  }
});

function withoutExtensions(): Uint8Array {
  const message = helloMessage().slice(0, 4 + 2 + 32 + 33 + 6 + 2);
  message[1] = 0;
  message[2] = 0;
  message[3] = message.length - 4;
  return records(message);
}

function interrupted(): Uint8Array {
  return Uint8Array.from([...records(helloMessage().slice(0, 50)), 21, 3, 1, 0, 2, 1, 0]);
}
