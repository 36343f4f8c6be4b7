import assert from "node:assert/strict";
import { HpackDecoder } from "./hpack_decoder.ts";

/** The lines of one block. */
function decode(decoder: HpackDecoder, hex: string): string[] {
  const block = Uint8Array.fromHex(hex.replaceAll(" ", ""));
  const lines: string[] = [];
  decoder.decode(block, 0, block.length, ({ line }) => lines.push(String.fromCharCode(...line).trimEnd()));
  return lines;
}

const REQUESTS = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
  [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ],
];
const RESPONSES = [
  [
    ":status: 302",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];
/** A table of 256 bytes, as the responses are for. */
const SMALL_TABLE = "3fe101";

Deno.test("each representation of a field is decoded (RFC 7541 C.2)", () => {
  const fields = {
    "400a637573746f6d2d6b65790d637573746f6d2d686561646572": "custom-key: custom-header",
    "040c2f73616d706c652f70617468": ":path: /sample/path",
    "100870617373776f726406736563726574": "password: secret",
    "82": ":method: GET",
  };
  for (const [hex, line] of Object.entries(fields)) assert.deepEqual(decode(new HpackDecoder(), hex), [line]);
});

Deno.test("the blocks of one connection share a table (RFC 7541 C.3 to C.6)", () => {
  const connections: [blocks: string[], lines: string[][]][] = [
    [
      [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ],
      REQUESTS,
    ],
    [
      [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ],
      REQUESTS,
    ],
    [
      [
        SMALL_TABLE +
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a32312047" +
        "4d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a" +
        "4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
      ],
      RESPONSES,
    ],
    [
      [
        SMALL_TABLE +
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863" +
        "c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960" +
        "d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ],
      RESPONSES,
    ],
  ];
  for (const [blocks, lines] of connections) {
    const decoder = new HpackDecoder();
    assert.deepEqual(blocks.map((block) => decode(decoder, block)), lines);
  }
});

Deno.test("a field that is larger than the table empties it", () => {
  const decoder = new HpackDecoder();
  decode(decoder, "400161 0162");
  assert.deepEqual(decode(decoder, "be"), ["a: b"]);
  const value = "62".repeat(4064);
  assert.equal(decode(decoder, `400161 7fe11e ${value}`)[0]!.length, 4067);
  assert.throws(() => decode(decoder, "be"), /field index 62, past/);
});

Deno.test("the table takes 128 of the smallest fields, and forgets the oldest", () => {
  const decoder = new HpackDecoder();
  decode(decoder, "400000".repeat(127));
  assert.deepEqual(decode(decoder, "ff3d"), [":"]); // Index 188.
  assert.throws(() => decode(decoder, "ff3e"), /field index 189, past/);
  decode(decoder, "400000".repeat(500));
  assert.deepEqual(decode(decoder, "ff3e"), [":"]);
  assert.throws(() => decode(decoder, "ff3f"), /field index 190, past/);
});

Deno.test("a table that is made smaller forgets, and can grow again", () => {
  const decoder = new HpackDecoder();
  decode(decoder, "4001610162");
  assert.deepEqual(decode(decoder, "20 3fe11f 82"), [":method: GET"]);
  assert.throws(() => decode(decoder, "be"), /past the table's end/);
});

Deno.test("malformed blocks are compression errors", () => {
  const blocks = {
    "80": "field index 0",
    "be": "field index 62, past",
    "ff80808080808001": "integer too large",
    "ff": "truncated",
    "4001": "past the block's end",
    "400161": "truncated",
    "4081ff00": "malformed Huffman code",
    "823fe11f": "table size update after a field",
    "3fe21f": "table size 4097",
    "407fffffffff7f": "integer too large",
  };
  for (const [hex, what] of Object.entries(blocks)) {
    assert.throws(() => decode(new HpackDecoder(), hex), new RegExp(what), hex);
  }
});
