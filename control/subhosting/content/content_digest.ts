import { createHash } from "node:crypto";
import { Turn } from "../../scheduling/turn.ts";
import { hashContent } from "./hash_content.ts";

/** SHA-256 of named contents in their order, in hex. */
export async function contentDigest(
  contents: Iterable<[string, Uint8Array]> | AsyncIterable<[string, Uint8Array]>,
): Promise<string> {
  const turn = new Turn();
  const hash = createHash("sha256");
  for await (const [name, content] of contents) {
    hash.update(`${name} ${content.length}\n`);
    await hashContent(hash, content, turn);
  }
  return hash.digest("hex");
}
