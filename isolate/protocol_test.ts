import assert from "node:assert/strict";
import { encodeLine, readLines, type ToSandbox } from "./protocol.ts";

async function lines(chunks: Uint8Array[], maxBytes?: number): Promise<string[]> {
  return await Array.fromAsync(readLines(ReadableStream.from(chunks), maxBytes));
}

const encode = (text: string) => new TextEncoder().encode(text);

function* cut(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

Deno.test("a message is one line, whatever is in it, however it is cut into chunks", async () => {
  const messages: ToSandbox[] = [
    {
      type: "assign",
      entry: "file:///app/main.js",
      env: { A: 'two\nlines\r\n"quoted" \\ 🦕 \u2028 \u0000', B: "" },
    },
    { type: "pending", id: 1 },
  ];
  const bytes = new Uint8Array(messages.flatMap((message) => [...encodeLine(message)]));
  assert.equal(bytes.filter((byte) => byte === 10).length, messages.length);
  for (let size = 1; size <= bytes.length; size++) {
    const read = await lines([...cut(bytes, size)]);
    assert.deepEqual(read.map((line) => JSON.parse(line)), messages, `chunks of ${size}`);
  }
});

Deno.test("an unfinished last line is not read", async () => {
  assert.deepEqual(await lines([encode("whole\nunfin"), encode("ished")]), ["whole"]);
});

Deno.test("empty lines are lines", async () => {
  assert.deepEqual(await lines([encode("\n\n")]), ["", ""]);
});

for (const size of [1, 3, 100]) {
  Deno.test(`a line over the limit ends the reading, in chunks of ${size}`, async () => {
    assert.deepEqual(await lines([...cut(encode("x".repeat(10) + "\n"), size)], 10), ["x".repeat(10)]);
    await assert.rejects(lines([...cut(encode("x".repeat(11) + "\n"), size)], 10), RangeError);
    await assert.rejects(lines([...cut(encode("ok\n" + "x".repeat(11)), size)], 10), RangeError);
  });
}

Deno.test("a line without end is given up before it is held", async () => {
  let given = 0;
  async function* endless() {
    for (;;) {
      given += 1_000;
      yield await Promise.resolve(new Uint8Array(1_000).fill(120));
    }
  }
  await assert.rejects(Array.fromAsync(readLines(endless(), 10_000)), RangeError);
  assert.ok(given <= 12_000);
});
