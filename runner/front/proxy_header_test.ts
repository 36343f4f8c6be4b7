import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { readProxyHeader } from "./proxy_header.ts";

const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
const IPV4 = [192, 0, 2, 7, 203, 0, 113, 1, 0x30, 0x39, 0x01, 0xbb];
const IPV6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x30, 0x39, 0x01, 0xbb],
];
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7, ...IPV6.slice(16)];
const TLVS = [0x02, 0, 6, ...new TextEncoder().encode("a.test"), 0x04, 0, 0];

function line(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function binary(command: number, family: number, content: number[]): Uint8Array {
  return Uint8Array.from([
    ...SIGNATURE,
    command,
    family,
    content.length >> 8,
    content.length & 255,
    ...content,
  ]);
}

const READ: [string, Uint8Array, { hostname: string; port: number } | null][] = [
  ["TCP4", line("PROXY TCP4 192.0.2.7 203.0.113.1 12345 443\r\n"), { hostname: "192.0.2.7", port: 12345 }],
  ["TCP6", line("PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 12345 443\r\n"), {
    hostname: "2001:db8::7",
    port: 12345,
  }],
  ["mapped", line("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), { hostname: "192.0.2.7", port: 1 }],
  ["UNKNOWN", line("PROXY UNKNOWN\r\n"), null],
  ["UNKNOWN with more", line("PROXY UNKNOWN ffff::f ffff::f 65535 65535\r\n"), null],
  ["2, TCP4", binary(0x21, 0x11, IPV4), { hostname: "192.0.2.7", port: 12345 }],
  ["2, TCP6", binary(0x21, 0x21, IPV6), { hostname: "2001:db8::7", port: 12345 }],
  ["2, mapped", binary(0x21, 0x21, MAPPED), { hostname: "192.0.2.7", port: 12345 }],
  ["2, with TLVs", binary(0x21, 0x11, [...IPV4, ...TLVS]), { hostname: "192.0.2.7", port: 12345 }],
  ["2, LOCAL", binary(0x20, 0x11, IPV4), null],
  ["2, LOCAL, empty", binary(0x20, 0, []), null],
  ["2, UNSPEC", binary(0x21, 0, []), null],
  ["2, unix", binary(0x21, 0x31, new Array(216).fill(47)), null],
  ["2, UDP", binary(0x21, 0x12, IPV4), null],
];

const MALFORMED: [string, Uint8Array][] = [
  ["HTTP", line("GET / HTTP/1.1\r\n")],
  ["lower case", line("proxy TCP4 192.0.2.7 203.0.113.1 1 2\r\n")],
  ["IPv6 as TCP4", line("PROXY TCP4 ::1 ::1 1 2\r\n")],
  ["IPv4 as TCP6", line("PROXY TCP6 192.0.2.7 192.0.2.7 1 2\r\n")],
  ["zone", line("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n")],
  ["no address", line("PROXY TCP4 192.0.2.256 203.0.113.1 1 2\r\n")],
  ["port", line("PROXY TCP4 192.0.2.7 203.0.113.1 65536 2\r\n")],
  ["two spaces", line("PROXY TCP4  192.0.2.7 203.0.113.1 1 2\r\n")],
  ["no CR", line("PROXY TCP4 192.0.2.7 203.0.113.1 1 2\n")],
  ["more", line("PROXY TCP4 192.0.2.7 203.0.113.1 1 2 3\r\n")],
  ["too long", line(`PROXY UNKNOWN ${"x".repeat(100)}\r\n`)],
  ["2, version 1", binary(0x11, 0x11, IPV4)],
  ["2, other command", binary(0x22, 0x11, IPV4)],
  ["2, other family", binary(0x21, 0x41, IPV4)],
  ["2, addresses cut off", binary(0x21, 0x11, IPV4.slice(0, 11))],
  ["2, TCP6 with IPv4", binary(0x21, 0x21, IPV4)],
  ["2, too long", binary(0x21, 0x11, new Array(5000).fill(0))],
];

Deno.test("The header of the PROXY protocol says who connects, however it is split", () => {
  for (const [name, header, source] of READ) {
    for (let end = 0; end < header.length; end++) {
      assert.equal(readProxyHeader(header.slice(0, end)), "incomplete", `${name}, ${end} bytes`);
    }
    const expected = { length: header.length, source };
    assert.deepEqual(readProxyHeader(header), expected, name);
    assert.deepEqual(
      readProxyHeader(Uint8Array.from([...header, ...line("GET / HTTP/1.1")])),
      expected,
      name,
    );
  }
});

Deno.test("Anything else than a header of the PROXY protocol is malformed", () => {
  for (const [name, bytes] of MALFORMED) assert.equal(readProxyHeader(bytes), "malformed", name);
});

Deno.test("Whatever arrives instead of a header of the PROXY protocol gives an address or none", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const random = new SeededRandom(seed);
    const [, header] = random.pick(READ);
    const bytes = random.mutate(header);
    const read = readProxyHeader(bytes);
    if (read === "incomplete") assert.ok(bytes.length < 16 + 65536, `seed ${seed}`);
    if (typeof read === "string") continue;
    assert.ok(read.length <= bytes.length, `seed ${seed}`);
    if (read.source === null) continue;
    assert.match(read.source.hostname, /^[0-9a-f.:]+$/, `seed ${seed}`);
    assert.ok(read.source.port >= 0 && read.source.port <= 65535, `seed ${seed}`);
  }
});
