import type { FileTree, FileTreeEntry } from "../model.ts";

/** A path that leads through more links is none (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * The entry that a path leads to through the tree's links, and where it is.
 *
 * **Invariant:** what is returned is a key of the tree, whatever the path was.
 */
export function resolveFile(
  tree: FileTree,
  path: string,
): { path: string; entry: Exclude<FileTreeEntry, { kind: "symlink" }> } | undefined {
  let links = 0;
  let found = "";
  const rest = path.split("/").reverse();
  while (rest.length > 0) {
    const name = rest.pop()!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      found = parentOf(found);
      continue;
    }
    const next = `${found}/${name}`;
    const entry = tree.get(next);
    if (entry === undefined) return undefined;
    if (entry.kind !== "symlink") found = next;
    else if (++links > MAX_LINKS) return undefined;
    else rest.push(...entry.target.split("/").reverse());
  }
  const entry = tree.get(found);
  return entry === undefined || entry.kind === "symlink" ? undefined : { path: found, entry };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
