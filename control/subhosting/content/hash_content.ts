import type { Hash } from "node:crypto";
import type { Turn } from "../../scheduling/turn.ts";

/** Hashed in one go. */
const CHUNK_BYTES = 256 * 1024;

/** Adds content to a hash, so that a large one holds nothing else up. */
export async function hashContent(hash: Hash, content: Uint8Array, turn: Turn): Promise<void> {
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    hash.update(content.subarray(at, at + CHUNK_BYTES));
    if (turn.isOver()) await turn.next();
  }
}
