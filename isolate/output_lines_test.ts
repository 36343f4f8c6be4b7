import assert from "node:assert/strict";
import { MAX_LINE_BYTES } from "./log_intake.ts";
import { readOutputLines } from "./output_lines.ts";

async function lines(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const encoder = new TextEncoder();
  const stream = ReadableStream.from(chunks.map((c) => typeof c === "string" ? encoder.encode(c) : c));
  return await Array.fromAsync(readOutputLines(stream));
}

const CASES: Record<string, [chunks: (string | Uint8Array)[], expected: string[]]> = {
  "nothing": [[], []],
  "one line": [["a\n"], ["a"]],
  "a last line without a newline": [["a\nb"], ["a", "b"]],
  "empty lines": [["\n\na\n\n"], ["", "", "a", ""]],
  "lines over chunks": [["a", "b\nc", "", "d\n", "\n"], ["ab", "cd", ""]],
  "a character over chunks": [[new Uint8Array([0xc3]), new Uint8Array([0xbc, 10])], ["ü"]],
  "bytes that are no text": [[new Uint8Array([0xff, 97, 10])], ["\ufffda"]],
};

for (const [name, [chunks, expected]] of Object.entries(CASES)) {
  Deno.test(`output of ${name} is read by lines`, async () => {
    assert.deepEqual(await lines(...chunks), expected);
  });
}

Deno.test("of a long line only the start is kept, more than its intake keeps, and the next line is whole", async () => {
  const part = "x".repeat(65_536);
  const [long, next, ...rest] = await lines(...new Array(200).fill(part), "end\nnext\n");
  assert.match(long!, /^x+$/);
  assert.ok(long!.length > MAX_LINE_BYTES && long!.length <= 4 * MAX_LINE_BYTES);
  assert.equal(next, "next");
  assert.deepEqual(rest, []);
});

Deno.test("lines are the same however the output is cut into chunks", async () => {
  const text = new TextEncoder().encode("eins\nzwölf\n" + "y".repeat(5_000) + "\n\nfünf 🦕");
  const whole = await lines(text);
  for (let size = 1; size < 40; size++) {
    const chunks = [];
    for (let at = 0; at < text.length; at += size) chunks.push(text.slice(at, at + size));
    assert.deepEqual(await lines(...chunks), whole, `chunks of ${size}`);
  }
});
