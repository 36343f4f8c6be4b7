import { MAX_LINE_BYTES } from "./log_intake.ts";

/** More than a log line may have, so that its intake sees that it was longer. */
const KEPT_BYTES = 2 * MAX_LINE_BYTES;
const NEWLINE = 10;

const decoder = new TextDecoder();

/**
 * The lines of what a process prints, without their newline, the last one also when it has none. However long a line is,
 * only its start is kept.
 */
export async function* readOutputLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const kept = new Uint8Array(KEPT_BYTES);
  let length = 0;
  for await (const chunk of stream) {
    for (let start = 0; start < chunk.length;) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.length : newline;
      const part = chunk.subarray(start, Math.min(end, start + KEPT_BYTES - length));
      kept.set(part, length);
      length += part.length;
      start = end + 1;
      if (newline === -1) continue;
      yield decoder.decode(kept.subarray(0, length));
      length = 0;
    }
  }
  if (length > 0) yield decoder.decode(kept.subarray(0, length));
}
