import assert from "node:assert/strict";
import type { FileTree, FileTreeEntry } from "../model.ts";
import { resolveFile } from "./file_paths.ts";

const folder: FileTreeEntry = { kind: "directory" };
const file: FileTreeEntry = { kind: "file", size: 1, hash: "h" };
const link = (target: string): FileTreeEntry => ({ kind: "symlink", target });

const TREE: FileTree = new Map([
  ["", folder],
  ["/a", folder],
  ["/a/b", folder],
  ["/a/b/f.txt", file],
  ["/near", link("a/b/f.txt")],
  ["/folder", link("a/b")],
  ["/a/b/up", link("../../near")],
  ["/a/root", link("..")],
  ["/loop", link("loop2")],
  ["/loop2", link("./loop")],
  ["/gone", link("nowhere")],
]);

const PATHS: Record<string, string | undefined> = {
  "/a/b/f.txt": "/a/b/f.txt",
  "/near": "/a/b/f.txt",
  "/folder/f.txt": "/a/b/f.txt",
  "/folder/up": "/a/b/f.txt",
  "/a/root/a/root/folder/./f.txt": "/a/b/f.txt",
  "/folder/../b/f.txt": "/a/b/f.txt",
  "/../../../a/b/f.txt": "/a/b/f.txt",
  "//a///b/f.txt": "/a/b/f.txt",
  "/a": "/a",
  "/": "",
  "": "",
  "/loop": undefined,
  "/gone": undefined,
  "/__proto__": undefined,
  "/a/b/f.txt/..": "/a/b",
  "/etc/passwd": undefined,
  "/a\0": undefined,
};

Deno.test("a path leads to an entry of the tree, through its links, or nowhere", () => {
  for (const [path, expected] of Object.entries(PATHS)) {
    const found = resolveFile(TREE, path);
    assert.equal(found?.path, expected, path);
    assert.equal(found?.entry, expected === undefined ? undefined : TREE.get(expected), path);
  }
});
