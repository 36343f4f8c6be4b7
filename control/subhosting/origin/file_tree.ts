import type { FileTree, FileTreeEntry } from "../model.ts";
import { CallFailure } from "./call_failure.ts";

/** Files, folders and links of a deployment, also folders that are named by what is in them only. */
export const MAX_ENTRIES = 10_000;
/** Of all files together. */
export const MAX_FILES_BYTES = 2 ** 30;
/** Names in one path. */
const MAX_DEPTH = 64;
const MAX_PATH_BYTES = 1024;
/** Of one name in a path: file systems take no more. */
const MAX_NAME_BYTES = 255;
const MAX_HASH_LENGTH = 256;

const encoder = new TextEncoder();

/** Makes a tree of what a manifest has; each entry is checked as it comes. Errors are {@linkcode CallFailure}s, `invalid`. */
export class FileTreeBuilder {
  readonly tree: FileTree;
  readonly #entries = new Map<string, FileTreeEntry>([["", { kind: "directory" }]]);
  readonly #named = new Set<string>();
  #bytes = 0;

  constructor() {
    this.tree = this.#entries;
  }

  /** @param key A path, which may begin with a slash. */
  add(key: string, value: unknown): void {
    const names = splitPath(key);
    const path = joinNames(names);
    if (this.#named.has(path)) throw wrong(key, "it is there twice");
    this.#named.add(path);
    const entry = readEntry(key, value, names.length - 1);
    if (entry.kind === "file") this.#count(entry.size);
    // What is in a folder may come before the folder.
    if (this.#entries.has(path) && entry.kind !== "directory") throw wrong(key, "it must be a folder");
    this.#set(path, entry);
    this.#addFolders(names);
  }

  #addFolders(names: string[]): void {
    for (let depth = names.length - 1; depth > 0; depth--) {
      const path = joinNames(names.slice(0, depth));
      const entry = this.#entries.get(path);
      if (entry === undefined) this.#set(path, { kind: "directory" });
      else if (entry.kind === "directory") return;
      else throw wrong(path, "it must be a folder");
    }
  }

  #set(path: string, entry: FileTreeEntry): void {
    this.#entries.set(path, entry);
    if (this.#entries.size > MAX_ENTRIES) throw invalid(`its file tree has more than ${MAX_ENTRIES} entries`);
  }

  #count(size: number): void {
    this.#bytes += size;
    if (this.#bytes > MAX_FILES_BYTES) throw invalid(`its files have more than ${MAX_FILES_BYTES} bytes`);
  }
}

/** The names of a path. */
function splitPath(key: string): string[] {
  const path = key.startsWith("/") ? key.slice(1) : key;
  if (path === "") return [];
  if (encoder.encode(path).length > MAX_PATH_BYTES) throw wrong(key, `longer than ${MAX_PATH_BYTES} bytes`);
  const names = path.split("/");
  if (names.length > MAX_DEPTH) throw wrong(key, `deeper than ${MAX_DEPTH} folders`);
  for (const name of names) checkName(key, name);
  return names;
}

function checkName(key: string, name: string): void {
  if (name === "" || name === "." || name === "..") throw wrong(key, "it must be a normalized path");
  if (/[\0\\]/.test(name)) throw wrong(key, "it contains NUL or a backslash");
  if (!name.isWellFormed()) throw wrong(key, "it is not valid Unicode");
  if (encoder.encode(name).length > MAX_NAME_BYTES) {
    throw wrong(key, `a name in it is longer than ${MAX_NAME_BYTES} bytes`);
  }
}

function joinNames(names: string[]): string {
  return names.map((name) => `/${name}`).join("");
}

/** @param depth Of the folder that it is in; -1 = it is the root. */
function readEntry(key: string, value: unknown, depth: number): FileTreeEntry {
  const { kind, size, hash, target } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (kind === "directory" || kind === "dir") return { kind: "directory" };
  if (depth < 0) throw wrong(key, "it must be a folder");
  if (kind === "symlink") return { kind, target: readTarget(key, target, depth) };
  if (kind !== "file") throw wrong(key, `its kind must be "directory", "file" or "symlink"`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw wrong(key, "its size must be a number of bytes");
  }
  if (typeof hash !== "string" || hash === "" || hash.length > MAX_HASH_LENGTH || !hash.isWellFormed()) {
    throw wrong(key, `its hash must be a text of 1 to ${MAX_HASH_LENGTH} characters`);
  }
  return { kind, size, hash };
}

/**
 * Checks where a link leads, and makes that relative.
 * **Invariant:** `..` comes first or not at all, and the folders of a link are no links, so that no chain of links leaves
 * the tree.
 */
function readTarget(key: string, target: unknown, depth: number): string {
  if (typeof target !== "string" || target === "") throw wrong(key, "its target must be a path");
  const given = target.split("/").filter((name) => name !== "" && name !== ".");
  const up = target.startsWith("/") ? depth : given.findIndex((name) => name !== "..");
  const ups = up < 0 ? given.length : up;
  const names = target.startsWith("/") ? given : given.slice(ups);
  if (ups > depth) throw wrong(key, "its target is outside of the files");
  if (names.includes("..")) throw wrong(key, `its target has ".." after a name`);
  splitPath(names.join("/"));
  return [...Array<string>(ups).fill(".."), ...names].join("/") || ".";
}

function wrong(key: string, problem: string): CallFailure {
  return invalid(`its file tree has a wrong entry "${key.slice(0, 200)}": ${problem}`);
}

function invalid(message: string): CallFailure {
  return new CallFailure("invalid", message);
}
