import assert from "node:assert/strict";
import type { FileTreeEntry } from "../model.ts";
import { FileTreeBuilder, MAX_ENTRIES, MAX_FILES_BYTES } from "./file_tree.ts";

const DIRECTORY = { kind: "directory" } as const;
const FILE = { kind: "file", size: 1, hash: "h" } as const;

function build(entries: readonly (readonly [string, unknown])[]): Record<string, FileTreeEntry> {
  const builder = new FileTreeBuilder();
  for (const [path, entry] of entries) builder.add(path, entry);
  return Object.fromEntries(builder.tree);
}

const link = (target: unknown) => ({ kind: "symlink", target });

Deno.test("A file tree has a root and every folder on the way", () => {
  assert.deepEqual(build([]), { "": DIRECTORY });
  assert.deepEqual(build([["/a/b/c.txt", FILE], ["", { kind: "dir" }], ["d", FILE], ["/a", DIRECTORY]]), {
    "": DIRECTORY,
    "/a": DIRECTORY,
    "/a/b": DIRECTORY,
    "/a/b/c.txt": FILE,
    "/d": FILE,
  });
});

Deno.test("An entry of a file tree has what is known of its kind, and nothing else", () => {
  assert.deepEqual(build([["/a", { ...FILE, mode: 7 }], ["/b", { ...DIRECTORY, entries: {} }]]), {
    "": DIRECTORY,
    "/a": FILE,
    "/b": DIRECTORY,
  });
});

const LINKS: [path: string, target: string, read: string][] = [
  ["/l", "a.txt", "a.txt"],
  ["/l", "./a//b/", "a/b"],
  ["/l", "/a/b", "a/b"],
  ["/l", "/", "."],
  ["/a/b/l", "../../c", "../../c"],
  ["/a/b/l", "../..", "../.."],
  ["/a/b/l", "/c", "../../c"],
];

for (const [path, target, read] of LINKS) {
  Deno.test(`A link "${path}" to "${target}" stays inside a file tree`, () => {
    assert.deepEqual(build([[path, link(target)]])[path], { kind: "symlink", target: read });
  });
}

const REFUSED: [name: string, message: RegExp, ...entries: [string, unknown][]][] = [
  ["a path with ..", /normalized/, ["/a/../b", FILE]],
  ["a path with .", /normalized/, ["/./b", FILE]],
  ["an empty name", /normalized/, ["/a//b", FILE]],
  ["a slash at the end", /normalized/, ["/a/", DIRECTORY]],
  ["two slashes at the beginning", /normalized/, ["//a", FILE]],
  ["a NUL", /NUL/, ["/a\0b", FILE]],
  ["a backslash", /backslash/, ["/a\\b", FILE]],
  ["half a character", /Unicode/, ["/\ud800", FILE]],
  ["a deep path", /deeper/, ["/a".repeat(65), FILE]],
  ["a long path", /longer than 1024/, [`/${"a/".repeat(10)}${"é".repeat(510)}`, FILE]],
  ["a long name", /longer than 255/, [`/${"é".repeat(128)}`, FILE]],
  ["a path twice", /twice/, ["/a", FILE], ["a", FILE]],
  ["the root twice", /twice/, ["", DIRECTORY], ["/", DIRECTORY]],
  ["a file for the root", /folder/, ["/", FILE]],
  ["a file in a file", /folder/, ["/a", FILE], ["/a/b", FILE]],
  ["a file that was a folder", /folder/, ["/a/b", FILE], ["/a", FILE]],
  ["a file in a link", /folder/, ["/a", link("b")], ["/a/c", FILE]],
  ["an unknown kind", /kind must be/, ["/a", { kind: "socket" }]],
  ["null for an entry", /kind must be/, ["/a", null]],
  ["a number for an entry", /kind must be/, ["/a", 7]],
  ["no size", /size/, ["/a", { kind: "file", hash: "h" }]],
  ["a negative size", /size/, ["/a", { ...FILE, size: -1 }]],
  ["a broken size", /size/, ["/a", { ...FILE, size: 1.5 }]],
  ["no hash", /hash/, ["/a", { kind: "file", size: 1 }]],
  ["a long hash", /hash/, ["/a", { ...FILE, hash: "h".repeat(257) }]],
  ["files that are too large together", /bytes/, ["/a", { ...FILE, size: MAX_FILES_BYTES }], ["/b", FILE]],
  ["a link to nothing", /target/, ["/a", link("")]],
  ["a link to a number", /target/, ["/a", link(7)]],
  ["a link out", /outside/, ["/a", link("../b")]],
  ["a link further out", /outside/, ["/a/b", link("../../c")]],
  ["a link out of the root", /after a name/, ["/a", link("/../b")]],
  ["a link through other links", /after a name/, ["/a/b/c", link("d/../../..")]],
  ["a link with a NUL", /NUL/, ["/a", link("b\0")]],
];

for (const [name, message, ...entries] of REFUSED) {
  Deno.test(`A file tree is refused that has ${name}`, () => {
    assert.throws(() => build(entries), { name: "CallFailure", code: "invalid", message });
  });
}

Deno.test("A file tree has a bound, which folders count for that nobody named", () => {
  const files = Array.from({ length: MAX_ENTRIES / 2 }, (_, i) => [`/${i}/a`, FILE] as const);
  assert.throws(() => build(files), /more than 10000 entries/);
  assert.equal(Object.keys(build(files.slice(1))).length, MAX_ENTRIES - 1);
});
