/**
 * Sends one GET over a connection of its own and resolves with the milliseconds from dialling to the first byte of the
 * answer. Throws when there is no server, and when the answer is not 200.
 *
 * @param headers More of the request, each "Name: value".
 */
export async function firstByteMs(
  port: number,
  host: string,
  headers: readonly string[] = [],
): Promise<number> {
  const startedAt = performance.now();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = ["GET / HTTP/1.1", `host: ${host}`, "connection: close", ...headers];
  const request = `${lines.join("\r\n")}\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(1024);
  const length = await connection.read(buffer);
  const elapsedMs = performance.now() - startedAt;
  const head = new TextDecoder().decode(buffer.subarray(0, length ?? 0));
  if (!head.startsWith("HTTP/1.1 200 ")) {
    throw new Error(`Cannot get "${host}": answered "${head.split("\r\n", 1)[0]}"`);
  }
  return elapsedMs;
}
