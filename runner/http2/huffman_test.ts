import assert from "node:assert/strict";
import { decodeHuffman } from "./huffman.ts";

/** What `hex` is the code of; `null` = malformed. */
function decoded(hex: string): string | null {
  const source = Uint8Array.fromHex(hex);
  const out = new Uint8Array(source.length * 2);
  const length = decodeHuffman(source, 0, source.length, out);
  return length === -1 ? null : String.fromCharCode(...out.subarray(0, length));
}

Deno.test("strings of RFC 7541 are decoded", () => {
  const strings = {
    "": "",
    "f1e3c2e5f23a6ba0ab90f4ff": "www.example.com",
    "a8eb10649cbf": "no-cache",
    "6402": "302",
    "d07abe941054d444a8200595040b8166e082a62d1bff": "Mon, 21 Oct 2013 20:13:21 GMT",
    "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007":
      "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  };
  for (const [hex, text] of Object.entries(strings)) assert.equal(decoded(hex), text);
});

Deno.test("rare octets with long codes are decoded", () => {
  assert.equal(decoded("ffc7"), "\x00"); // 13 bits
  assert.equal(decoded("fffffff3"), "\n"); // 30 bits
  assert.equal(decoded("fffff67f"), "\xc7"); // 25 bits: 0x1ffffec, and 7 of padding
});

Deno.test("padding that is too long or has a zero, and the end symbol, are malformed", () => {
  assert.equal(decoded("1f"), "a"); // 5 bits, and 3 of padding
  assert.equal(decoded("1fff"), null);
  assert.equal(decoded("18"), null);
  assert.equal(decoded("ff"), null);
  assert.equal(decoded("ffffffff"), null);
  assert.equal(decoded("fffffffc"), null);
});
