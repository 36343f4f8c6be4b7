/** Longest line taken: a log line of a deployment is 2 KiB (INTERFACE §4), one of a build may hold a whole code frame. */
const MAX_LINE_LENGTH = 1024 ** 2;

/**
 * Reads newline-delimited JSON as it arrives. Empty lines are skipped. Leaving the loop cancels the stream.
 *
 * @throws {SyntaxError} a line is not JSON
 * @throws {RangeError} a line is longer than 1 MiB
 */
export async function* readNdjson<T>(stream: ReadableStream<Uint8Array>): AsyncGenerator<T, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_LENGTH) {
      throw new RangeError(`Cannot read stream: line over ${MAX_LINE_LENGTH}`);
    }
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
  }
  if (rest.trim()) yield JSON.parse(rest);
}
