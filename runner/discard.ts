/** Where it reads to what nobody wants. */
const sink = new Uint8Array(16 * 1024);

/** Reads what nobody wants, to its end or until it is `maxBytes`. Throws as the source does. */
export async function discard(source: Pick<Deno.Conn, "read">, maxBytes: number): Promise<void> {
  for (let left = maxBytes; left > 0;) {
    const bytes = await source.read(sink);
    if (bytes === null) return;
    left -= bytes;
  }
}
