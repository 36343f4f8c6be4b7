import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Manifest } from "../model.ts";
import { isInnerLink, isManifestPath } from "./manifest_path.ts";

/** How long files are linked before the event loop gets its turn. */
const SLICE_MS = 5;
const MAX_COPIES_AT_ONCE = 8;

/** How a manifest is laid out. */
export interface MaterializeOptions {
  /**
   * Copies that may be written to, instead of hard links to the blobs.
   *
   * @default {false}
   */
  writable?: boolean;
}

/**
 * Lays a manifest out in an existing, empty directory: directories, files as hard links to their blobs (as copies where
 * the file system refuses links), symlinks. No path is ever followed out of `dir`: a manifest in which one entry lies
 * below another, or a symlink leads outside, is refused before anything is made.
 *
 * @throws {TypeError} the manifest is not safe to lay out
 */
export async function materialize(
  files: Manifest,
  dir: string,
  blobPath: (sha256: string) => string,
  { writable = false }: MaterializeOptions = {},
): Promise<void> {
  const folders = foldersOf(files);
  const turn = new Turn();
  for (const folder of folders) {
    Deno.mkdirSync(join(dir, folder));
    if (turn.isOver()) await turn.next();
  }
  const copies: { from: string; to: string }[] = [];
  for (const [path, entry] of Object.entries(files)) {
    const to = join(dir, path);
    if (entry.kind === "symlink") Deno.symlinkSync(entry.target, to);
    else if (writable || !tryLink(blobPath(entry.sha256), to)) {
      copies.push({ from: blobPath(entry.sha256), to });
    }
    if (turn.isOver()) await turn.next();
  }
  await copyAll(copies, writable);
}

/** Every folder of the manifest, outer ones first. */
function foldersOf(files: Manifest): Set<string> {
  const folders = new Set<string>();
  const add = (folder: string) => {
    if (folder === "." || folders.has(folder)) return;
    if (Object.hasOwn(files, folder)) {
      throw new TypeError(`Cannot lay out "${folder}": it is both a ${files[folder]!.kind} and a folder`);
    }
    add(dirname(folder));
    folders.add(folder);
  };
  for (const [path, entry] of Object.entries(files)) {
    if (!isManifestPath(path)) {
      throw new TypeError(`Cannot lay out "${path}": not a normalized relative path`);
    }
    if (entry.kind === "symlink" && !isInnerLink(path, entry.target)) {
      throw new TypeError(`Cannot lay out "${path}": the symlink leaves the deployment`);
    }
    add(dirname(path));
  }
  return folders;
}

/** Whether the link was made; not where links across file systems, too many, or of others' files are refused. */
function tryLink(from: string, to: string): boolean {
  try {
    Deno.linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "EXDEV" || code === "EMLINK" || code === "EPERM") return false;
    throw error;
  }
}

async function copyAll(copies: { from: string; to: string }[], writable: boolean): Promise<void> {
  const queue = copies.values();
  const work = async () => {
    for (const { from, to } of queue) {
      await Deno.copyFile(from, to);
      if (writable) await Deno.chmod(to, 0o644);
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_COPIES_AT_ONCE, copies.length) }, work));
}

/** A slice of the event loop's time. */
class Turn {
  #startedAt = performance.now();

  isOver(): boolean {
    return performance.now() - this.#startedAt > SLICE_MS;
  }

  async next(): Promise<void> {
    await setImmediate(); // A timer of 0 ms takes 2 ms.
    this.#startedAt = performance.now();
  }
}
