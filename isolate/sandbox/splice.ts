/** Of each direction. */
const BUFFER_BYTES = 32 * 1024;

/**
 * Joins two connections, byte by byte, and closes both: when both directions have ended, which each side learns of, or one
 * has failed. Never rejects.
 */
export async function splice(one: Deno.Conn, other: Deno.Conn): Promise<void> {
  try {
    await Promise.all([copy(one, other), copy(other, one)]);
  } catch {
    // One side is gone: so is the other.
  } finally {
    one[Symbol.dispose]();
    other[Symbol.dispose]();
  }
}

/** Reads no more than `to` has taken. */
async function copy(from: Deno.Conn, to: Deno.Conn) {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let length = await from.read(buffer); length !== null; length = await from.read(buffer)) {
    for (let start = 0; start < length;) start += await to.write(buffer.subarray(start, length));
  }
  await to.closeWrite();
}
