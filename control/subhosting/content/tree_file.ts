import { createHash } from "node:crypto";
import { Turn } from "../../scheduling/turn.ts";
import type { FileTree, FileTreeEntry } from "../model.ts";

const HASH_HEX = 64;

/** A tree of files as bytes: SHA-256 of what follows, then an entry a line. */
export async function encodeTree(tree: FileTree): Promise<Uint8Array<ArrayBuffer>> {
  const turn = new Turn();
  const hash = createHash("sha256");
  const lines: string[] = [];
  for (const entry of tree) {
    const line = JSON.stringify(entry) + "\n";
    hash.update(line);
    lines.push(line);
    if (turn.isOver()) await turn.next();
  }
  return new TextEncoder().encode(`${hash.digest("hex")}\n${lines.join("")}`);
}

/**
 * The opposite of {@linkcode encodeTree}.
 *
 * @throws {SyntaxError} It is damaged.
 */
export async function decodeTree(bytes: Uint8Array): Promise<FileTree> {
  const turn = new Turn();
  const hash = createHash("sha256");
  const tree = new Map<string, FileTreeEntry>();
  const text = new TextDecoder().decode(bytes);
  for (let start = HASH_HEX + 1; start < text.length;) {
    const end = text.indexOf("\n", start) + 1 || text.length;
    const line = text.slice(start, end);
    hash.update(line);
    const [path, entry] = JSON.parse(line) as [string, FileTreeEntry];
    tree.set(path, entry);
    start = end;
    if (turn.isOver()) await turn.next();
  }
  if (hash.digest("hex") !== text.slice(0, HASH_HEX)) {
    throw new SyntaxError("Cannot read a tree of files: damaged");
  }
  return tree;
}
