import { createHash } from "node:crypto";
import { Turn } from "../../scheduling/turn.ts";

/** Hashed in one go. */
const CHUNK_BYTES = 256 * 1024;

/** SHA-256 of named contents in their order, in hex. */
export async function contentDigest(
  contents: Iterable<[string, Uint8Array]> | AsyncIterable<[string, Uint8Array]>,
): Promise<string> {
  const turn = new Turn();
  const hash = createHash("sha256");
  for await (const [name, content] of contents) {
    hash.update(`${name} ${content.length}\n`);
    for (let at = 0; at < content.length; at += CHUNK_BYTES) {
      hash.update(content.subarray(at, at + CHUNK_BYTES));
      if (turn.isOver()) await turn.next();
    }
  }
  return hash.digest("hex");
}
