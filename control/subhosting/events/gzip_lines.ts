import { Turn } from "../../scheduling/turn.ts";

/** Compressed in one go: less than 2 ms of the event loop, on which `CompressionStream` works in Deno 2.9. */
const PIECE_CHARACTERS = 32 * 1024;

/** Lines as gzip (RFC 1952), made in short steps. */
export async function gzipLines(lines: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const gzip = new CompressionStream("gzip");
  const bytes = new Response(gzip.readable).bytes();
  const writer = gzip.writable.getWriter();
  const encoder = new TextEncoder();
  const turn = new Turn();
  for (const piece of pieces(lines)) {
    await writer.write(encoder.encode(piece));
    if (turn.isOver()) await turn.next();
  }
  await writer.close();
  return await bytes;
}

function* pieces(lines: readonly string[]): Generator<string> {
  let piece = "";
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}
