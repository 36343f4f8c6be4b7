import assert from "node:assert/strict";
import { addressBytes, decodeAddress, encodeRequest, formatTarget } from "./socks5.ts";

const ENCODED: [hostname: string, port: number, bytes: number[]][] = [
  ["example.com", 443, [5, 1, 0, 3, 11, ...new TextEncoder().encode("example.com"), 1, 187]],
  ["192.0.2.1", 80, [5, 1, 0, 1, 192, 0, 2, 1, 0, 80]],
  ["::1", 65535, [5, 1, 0, 4, ...Array(15).fill(0), 1, 255, 255]],
  ["2001:DB8::a:0:0:1", 1, [5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 1, 0, 1]],
  ["::ffff:192.0.2.1", 1, [5, 1, 0, 4, ...Array(10).fill(0), 255, 255, 192, 0, 2, 1, 0, 1]],
  ["1:2:3:4:5:6:7:8", 1, [5, 1, 0, 4, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 1]],
  ["fe80::1%lo", 1, [5, 1, 0, 3, 10, ...new TextEncoder().encode("fe80::1%lo"), 0, 1]],
  ["cafe", 1, [5, 1, 0, 3, 4, ...new TextEncoder().encode("cafe"), 0, 1]],
  ["192.0.2.256", 1, [5, 1, 0, 3, 11, ...new TextEncoder().encode("192.0.2.256"), 0, 1]],
  ["127.1", 1, [5, 1, 0, 3, 5, ...new TextEncoder().encode("127.1"), 0, 1]],
];

for (const [hostname, port, bytes] of ENCODED) {
  Deno.test(`a request to connect to ${hostname} has the bytes of RFC 1928`, () => {
    assert.deepEqual([...encodeRequest({ hostname, port })], bytes);
  });
}

for (const hostname of ["", "x".repeat(256), "ü".repeat(128)]) {
  Deno.test(`a name of ${hostname.length} characters does not fit a request`, () => {
    assert.throws(() => encodeRequest({ hostname, port: 1 }), RangeError);
  });
}

const DECODED: [bytes: number[], hostname: string, port: number][] = [
  [[192, 0, 2, 1, 1, 187], "192.0.2.1", 443],
  [[...Array(15).fill(0), 1, 0, 80], "::1", 80],
  [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 1, 255, 255], "2001:db8::a:0:0:1", 65535],
];

for (const [bytes, hostname, port] of DECODED) {
  Deno.test(`the address ${hostname} is read from a reply`, () => {
    assert.deepEqual(decodeAddress(Uint8Array.from(bytes)), { hostname, port });
  });
}

Deno.test("the start of a reply says how long its address is", () => {
  assert.equal(addressBytes(Uint8Array.of(5, 0, 0, 1)), 6);
  assert.equal(addressBytes(Uint8Array.of(5, 0, 0, 4)), 18);
});

Deno.test("an IPv6 target is written in brackets", () => {
  assert.equal(formatTarget({ hostname: "::1", port: 80 }), "[::1]:80");
  assert.equal(formatTarget({ hostname: "example.com", port: 80 }), "example.com:80");
});
