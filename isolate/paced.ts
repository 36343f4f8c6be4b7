/** Handled at once: so that the longest step is short, whatever the bytes are. */
const PIECE_BYTES = 4096;
/** How long one sender is attended to before everybody else is. */
const MAX_BUSY_MS = 5;
/** How many times as long everybody else is attended to then. */
const REST_FACTOR = 4;

/**
 * The bytes of a stream, in pieces, no faster than leaves most of the event loop's time to others: a stream that always has
 * more would not let it have a single turn. The sender waits meanwhile, since its pipe or socket is full.
 */
export async function* paced(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let busyMs = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const startedAt = performance.now();
      yield chunk.subarray(at, at + PIECE_BYTES);
      busyMs += performance.now() - startedAt;
      if (busyMs < MAX_BUSY_MS) continue;
      await new Promise((resolve) => setTimeout(resolve, busyMs * REST_FACTOR));
      busyMs = 0;
    }
  }
}
