/** What a connection costs that carries nothing. */
const IDLE_BUFFER_BYTES = 4 * 1024;
const MAX_BUFFER_BYTES = 64 * 1024;
const GROWTH = 4;

/** Why a copy is over: the source ended, or one of them broke. */
export type CopyEnd = "ended" | "source broke" | "target broke";

/** Copies what one connection receives to another, until either is over. Whether to close one is not decided here. */
export async function copy(source: Deno.TcpConn, target: Deno.TcpConn): Promise<CopyEnd> {
  let buffer = new Uint8Array(IDLE_BUFFER_BYTES);
  for (;;) {
    let bytes: number | null;
    try {
      bytes = await source.read(buffer);
    } catch {
      return "source broke";
    }
    if (bytes === null) return "ended";
    try {
      await writeAll(target, buffer, bytes);
    } catch {
      return "target broke";
    }
    buffer = bufferAfter(bytes, buffer);
  }
}

/** @throws The connection is over. */
export async function writeAll(target: Deno.TcpConn, bytes: Uint8Array, end = bytes.length): Promise<void> {
  for (let at = 0; at < end;) at += await target.write(bytes.subarray(at, end));
}

/** For the next read, which is perhaps the one that waits long: as large as the last one would have needed. */
function bufferAfter(bytes: number, buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes === buffer.length && bytes < MAX_BUFFER_BYTES) return new Uint8Array(bytes * GROWTH);
  const isTooLarge = buffer.length > IDLE_BUFFER_BYTES && bytes * GROWTH <= buffer.length;
  return isTooLarge ? new Uint8Array(buffer.length / GROWTH) : buffer;
}
