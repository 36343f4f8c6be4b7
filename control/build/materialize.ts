import { dirname, join } from "node:path";
import type { Manifest, ManifestEntry } from "../model.ts";
import { Turn } from "../scheduling/turn.ts";
import { isInnerLink, isManifestPath } from "./manifest_path.ts";

const MAX_COPIES_AT_ONCE = 8;
/** Others may read and nobody but the server may write: a sandbox may be another user (chmod(2)). */
const FOLDER_MODE = 0o755;
const WRITABLE_MODE = 0o644;

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
  const turn = new Turn();
  const folders = await foldersOf(files, turn);
  for (const folder of folders) {
    const path = join(dir, folder);
    Deno.mkdirSync(path);
    Deno.chmodSync(path, FOLDER_MODE); // Whatever the server's umask is.
    if (turn.isOver()) await turn.next();
  }
  const copies: { from: string; to: string }[] = [];
  for (const path in files) {
    const entry = files[path]!;
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
async function foldersOf(files: Manifest, turn: Turn): Promise<Set<string>> {
  const folders = new Set<string>();
  const add = (folder: string) => {
    if (folder === "." || folders.has(folder)) return;
    if (Object.hasOwn(files, folder)) {
      throw new TypeError(`Cannot lay out "${folder}": it is both a ${files[folder]!.kind} and a folder`);
    }
    add(dirname(folder));
    folders.add(folder);
  };
  for (const path in files) {
    checkEntry(path, files[path]!);
    add(dirname(path));
    if (turn.isOver()) await turn.next();
  }
  return folders;
}

function checkEntry(path: string, entry: ManifestEntry): void {
  if (!isManifestPath(path)) {
    throw new TypeError(`Cannot lay out "${path}": not a normalized relative path`);
  }
  if (entry.kind === "symlink" && !isInnerLink(path, entry.target)) {
    throw new TypeError(`Cannot lay out "${path}": the symlink leaves the deployment`);
  }
}

/** Whether the link was made; not where links across file systems, too many, or of others' files are refused. */
export function tryLink(from: string, to: string): boolean {
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
      if (writable) await Deno.chmod(to, WRITABLE_MODE);
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_COPIES_AT_ONCE, copies.length) }, work));
}
