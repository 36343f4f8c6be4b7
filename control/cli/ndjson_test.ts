import assert from "node:assert/strict";
import { readNdjson } from "./ndjson.ts";

const never = new AbortController().signal;

function streamOf(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return ReadableStream.from(
    chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk),
  );
}

Deno.test("lines are read however they are cut, empty ones are skipped", async () => {
  const umlaut = new TextEncoder().encode('"ü"\n');
  const stream = streamOf('{"a":', "1}\n\n[2]\n", umlaut.subarray(0, 2), umlaut.subarray(2), '"end"');
  assert.deepEqual(await Array.fromAsync(readNdjson(stream, never)), [{ a: 1 }, [2], "ü", "end"]);
});

Deno.test("what is not JSON, or has no end, is refused", async () => {
  await assert.rejects(Array.fromAsync(readNdjson(streamOf("{\n"), never)), SyntaxError);
  const long = "x".repeat(600_000);
  await assert.rejects(Array.fromAsync(readNdjson(streamOf(long, long), never)), RangeError);
});

Deno.test("an abort ends a stream that says nothing any more, and one that was not begun", async () => {
  for (const early of [true, false]) {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
    const stop = new AbortController();
    if (early) stop.abort();
    const lines = Array.fromAsync(readNdjson(stream, stop.signal));
    stop.abort();
    await assert.rejects(lines, { name: "AbortError" });
    assert(cancelled);
  }
});

Deno.test("an abort cancels a stream of which nobody has begun to read the lines", () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
  const stop = new AbortController();
  readNdjson(stream, stop.signal);
  stop.abort();
  assert(cancelled);
});

Deno.test("leaving the loop cancels the stream", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("1\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const line of readNdjson(stream, never)) {
    assert.equal(line, 1);
    break;
  }
  assert(cancelled);
});
