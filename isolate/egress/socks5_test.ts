import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { ProtocolError } from "./protocol_error.ts";
import { encodeMethod, encodeReply, type Parsed, parseGreeting, parseRequest } from "./socks5.ts";
import { connectRequest } from "./testing/socks_client.ts";

const IPV6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

Deno.test("greetings and requests of RFC 1928 are read", () => {
  assert.deepEqual(parseGreeting(Uint8Array.of(5, 2, 1, 0, 99)), { value: true, bytes: 4 });
  assert.deepEqual(parseGreeting(Uint8Array.of(5, 1, 2)), { value: false, bytes: 3 });
  const table: [bytes: number[], host: string, port: number][] = [
    [[5, 1, 0, 1, 1, 2, 3, 4, 0x01, 0xbb], "1.2.3.4", 443],
    [[5, 1, 0, 3, 3, 0x61, 0x2e, 0x62, 0xff, 0xff], "a.b", 65_535],
    [[5, 1, 0, 4, ...IPV6, 0, 80], "2001:db8:0:0:0:0:0:9", 80],
  ];
  for (const [bytes, host, port] of table) {
    const early = Uint8Array.of(...bytes, 1, 2, 3);
    assert.deepEqual(parseRequest(early), { value: { connect: true, host, port }, bytes: bytes.length });
  }
  assert.equal(parseRequest(Uint8Array.of(5, 3, 0, 1, 1, 2, 3, 4, 0, 0))?.value.connect, false);
});

Deno.test("replies carry the address that was dialed", () => {
  const encode = (
    hostname: string,
    port: number,
  ) => [...encodeReply(0, { transport: "tcp", hostname, port })];
  assert.deepEqual([...encodeMethod(true)], [5, 0]);
  assert.deepEqual([...encodeMethod(false)], [5, 0xff]);
  assert.deepEqual([...encodeReply(2)], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(encode("1.2.3.4", 258), [5, 0, 0, 1, 1, 2, 3, 4, 1, 2]);
  assert.deepEqual(encode("2001:db8::9", 80), [5, 0, 0, 4, ...IPV6, 0, 80]);
  assert.deepEqual(encode("::", 0), [5, 0, 0, 4, ...Array(18).fill(0)]);
  assert.deepEqual(encode("::ffff:1.2.3.4", 0), [
    5,
    0,
    0,
    4,
    ...Array(10).fill(0),
    255,
    255,
    1,
    2,
    3,
    4,
    0,
    0,
  ]);
});

Deno.test("what is not RFC 1928 is an error as soon as it is seen", () => {
  for (const bytes of [[4], [5, 0], [0x16, 3]]) {
    assert.throws(() => parseGreeting(Uint8Array.from(bytes)), ProtocolError, `${bytes}`);
  }
  for (
    const bytes of [[4], [5, 0], [5, 4], [5, 1, 1], [5, 1, 0, 0], [5, 1, 0, 2], [5, 1, 0, 5], [5, 1, 0, 3, 0]]
  ) {
    assert.throws(() => parseRequest(Uint8Array.from(bytes)), ProtocolError, `${bytes}`);
  }
});

Deno.test("whatever the bytes and however they are split, the parsers say the same of them", () => {
  const random = new SeededRandom(1928);
  const samples = [
    Uint8Array.of(5, 3, 0, 1, 2),
    connectRequest("1.2.3.4", 80),
    connectRequest("2001:db8::9", 443),
    connectRequest("db.example.com", 5432),
  ];
  for (let i = 0; i < 20_000; i++) {
    const bytes = random.chance(0.5)
      ? random.mutate(random.pick(samples))
      : Uint8Array.from({ length: random.below(40) }, () => random.below(random.chance(0.5) ? 6 : 256));
    for (const parse of [parseGreeting, parseRequest]) {
      const whole = outcome(parse, bytes);
      let split: unknown = null;
      for (let end = 0; end <= bytes.length && split === null; end++) {
        split = outcome(parse, bytes.subarray(0, end));
      }
      assert.deepEqual(split, whole, `${bytes}`);
    }
  }
});

function outcome(parse: (input: Uint8Array) => Parsed<unknown> | null, input: Uint8Array): unknown {
  try {
    const parsed = parse(input);
    if (parsed !== null) assert.ok(parsed.bytes <= input.length);
    return parsed;
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `${error}`);
    return "error";
  }
}
