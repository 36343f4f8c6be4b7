/** Longest line taken: a log line of a deployment is 2 KiB (INTERFACE §4), one of a build may hold a whole code frame. */
const MAX_LINE_LENGTH = 1024 ** 2;

/**
 * Reads newline-delimited JSON as it arrives. Empty lines are skipped. Leaving the loop cancels the stream.
 *
 * @throws {SyntaxError} a line is not JSON
 * @throws {RangeError} a line is longer than 1 MiB
 * @throws the reason of `signal`, once it is aborted
 */
export function readNdjson<T>(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  // The signal given to `fetch` is no help: in Deno 2.9 it may be collected once only the body is still in use, and then
  // an abort does not end the body. And a generator that nobody has begun to read ends nothing.
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  return readLines<T>(reader, signal, () => {
    signal.removeEventListener("abort", cancel);
    cancel();
  });
}

async function* readLines<T>(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
  end: () => void,
): AsyncGenerator<T, void, void> {
  try {
    const decoder = new TextDecoder();
    let rest = "";
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const lines = (rest + decoder.decode(next.value, { stream: true })).split("\n");
      rest = lines.pop()!;
      if (rest.length > MAX_LINE_LENGTH) {
        throw new RangeError(`Cannot read stream: line over ${MAX_LINE_LENGTH}`);
      }
      for (const line of lines) if (line.trim()) yield JSON.parse(line);
    }
    signal.throwIfAborted();
    if (rest.trim()) yield JSON.parse(rest);
  } finally {
    end();
  }
}
