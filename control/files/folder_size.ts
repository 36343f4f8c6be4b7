import { join } from "node:path";
import { Turn } from "../scheduling/turn.ts";

/** Of st_blocks (stat(2)). */
const BLOCK_BYTES = 512;

/** How much a directory and all in it are. */
export interface FolderSize {
  /** Of the disk. */
  bytes: number;
  /** Folders as well. */
  files: number;
}

/** Measures a directory, but no further than past one of the bounds. What comes and goes meanwhile may be counted or not. */
export async function folderSize(
  dir: string,
  { bytes: maxBytes, files: maxFiles }: FolderSize,
): Promise<FolderSize> {
  const turn = new Turn();
  const folders = [dir];
  const size = { bytes: 0, files: 0 };
  for (const folder of folders) {
    for (const { name, isDirectory } of listed(folder)) {
      const path = join(folder, name);
      if (isDirectory) folders.push(path);
      size.files++;
      size.bytes += blocksOf(path) * BLOCK_BYTES;
      if (size.files > maxFiles || size.bytes > maxBytes) return size;
      if (turn.isOver()) await turn.next();
    }
  }
  return size;
}

function listed(folder: string): Deno.DirEntry[] {
  return unlessGone(() => [...Deno.readDirSync(folder)]) ?? [];
}

function blocksOf(path: string): number {
  return unlessGone(() => Deno.lstatSync(path).blocks) ?? 0;
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
