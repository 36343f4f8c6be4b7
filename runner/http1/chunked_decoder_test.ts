import assert from "node:assert/strict";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import { ProtocolError } from "./response_head.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** What becomes of a body that arrives in these pieces. */
function decode(pieces: Uint8Array[]): { data: string; done: boolean; rest: number } | "refused" {
  const decoder = new ChunkedDecoder((what) => new ProtocolError(what));
  let data = "";
  let rest = 0;
  try {
    for (const piece of pieces) {
      if (decoder.done) rest += piece.length;
      else {
        const length = decoder.decode(piece);
        const { pieces } = decoder;
        let taken = "";
        for (let i = 0; i < pieces.length; i += 2) {
          taken += String.fromCharCode(...piece.subarray(pieces[i], pieces[i + 1]));
        }
        assert.equal(taken.length, length);
        data += taken;
        rest += piece.length - decoder.consumed;
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return "refused";
  }
  return { data, done: decoder.done, rest };
}

Deno.test("chunks are joined, extensions and trailers dropped, and what follows is left", () => {
  const rows: [body: string, data: string, done: boolean, rest: number][] = [
    ["0\r\n\r\n", "", true, 0],
    ["5\r\nhello\r\n0\r\n\r\n", "hello", true, 0],
    ["5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\nGET", "hello0123456789", true, 3],
    ["005\r\nhello\r\n000\r\n\r\n", "hello", true, 0],
    ['5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n', "hello", true, 0],
    ["5 ;a\r\nhello\r\n0\r\n\r\n", "hello", true, 0],
    ["5\r\nhello\r\n0\r\nx-t: 1\r\nx-u: 2\r\n\r\n", "hello", true, 0],
    ["5\r\nhel", "hel", false, 0],
    ["5\r\nhello\r\n0\r\n", "hello", false, 0],
    ["4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", true, 0],
  ];
  for (const [body, data, done, rest] of rows) {
    assert.deepEqual(decode([bytes(body)]), { data, done, rest }, JSON.stringify(body));
  }
});

Deno.test("a chunk that is not exactly RFC 9112 is refused", () => {
  const rows = [
    "\r\n",
    "x\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello",
    "+5\r\nhello",
    " 5\r\nhello",
    "5 \r\nhello",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "5\r\nhell\r\n0\r\n\r\n",
    "5,5\r\nhello",
    "5;a\x00\r\nhello",
    "5;a\rb\r\nhello",
    "fffffffffffffffff\r\n",
    `${"0".repeat(14)}\r\n`,
    `5;${"a".repeat(2000)}`,
    `${`1;${"a".repeat(900)}\r\nx\r\n`.repeat(20)}`,
    "0\r\n\n",
    "0\r\nno colon\r\n\r\n",
    "0\r\na: b\nc: d\r\n\r\n",
    "0\r\n folded\r\n\r\n",
    `0\r\n${"a: b\r\n".repeat(3000)}`,
  ];
  for (const row of rows) assert.equal(decode([bytes(row)]), "refused", JSON.stringify(row.slice(0, 60)));
});

Deno.test("the same bytes mean the same however they are split", () => {
  const random = new SeededRandom(3);
  const seeds = [
    "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "3;x=y\r\nabc\r\n1\r\n\n\r\n0\r\nx-t: 1\r\n\r\nrest",
    "10\r\n0123456789abcdef\r\n00\r\n\r\n",
  ].map(bytes);
  for (let i = 0; i < 5000; i++) {
    const body = i % 3 === 0 ? random.pick(seeds) : random.mutate(random.pick(seeds));
    assert.deepEqual(
      decode(random.split(body)),
      decode([body]),
      JSON.stringify(String.fromCharCode(...body)),
    );
  }
});
