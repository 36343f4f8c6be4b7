import { join } from "node:path";
import { nextTurn } from "../scheduling/turn.ts";
import { blobPath } from "./blob_path.ts";
import type { Database } from "./database.ts";

/** Contents deleted in one go, between two turns of the event loop. */
const BATCH = 100;

/** What a collection deleted. */
export interface CollectedBlobs {
  files: number;
  bytes: number;
}

/** What to collect. */
export interface Collection {
  database: Database;
  dir: string;
  /** Contents that are being stored. May change meanwhile. */
  pinned: readonly string[];
  /** Unix ms: what was used since is kept. */
  before: number;
}

/**
 * Deletes content that no deployment names and that nobody relied on of late, and files that the database does not know:
 * those of a process that died between renaming and recording.
 */
export async function collectBlobs(collection: Collection): Promise<CollectedBlobs> {
  const collected = { files: 0, bytes: 0 };
  for (;;) {
    const sizes = deleteBatch(collection);
    collected.files += sizes.length;
    for (const size of sizes) collected.bytes += size;
    if (sizes.length < BATCH) break;
    await nextTurn();
  }
  const unknown = await deleteUnknown(collection);
  return { files: collected.files + unknown.files, bytes: collected.bytes + unknown.bytes };
}

/** Rows and files go in the same turn: nobody can store the same content between the two. */
function deleteBatch({ database, dir, pinned, before }: Collection): number[] {
  const blobs = database.all<{ sha256: string; size: number }>(
    `DELETE FROM blobs WHERE id IN (
       SELECT id FROM blobs
       WHERE used_at < ? AND NOT EXISTS (SELECT 1 FROM blob_references WHERE blob_id = blobs.id)
         AND sha256 NOT IN (SELECT value FROM json_each(?))
       LIMIT ${BATCH}
     ) RETURNING sha256, size`,
    before,
    JSON.stringify(pinned),
  );
  for (const { sha256 } of blobs) removeFile(blobPath(dir, sha256));
  return blobs.map((blob) => blob.size);
}

async function deleteUnknown({ database, dir, pinned, before }: Collection): Promise<CollectedBlobs> {
  const collected = { files: 0, bytes: 0 };
  for await (const directory of Deno.readDir(dir)) {
    if (directory.name === "tmp" || !directory.isDirectory) continue;
    for await (const { name } of Deno.readDir(join(dir, directory.name))) {
      const path = join(dir, directory.name, name);
      const file = await Deno.lstat(path).catch(() => null);
      if (file === null || (file.mtime?.getTime() ?? 0) >= before) continue;
      // Asked last, in the turn that removes it: a write may have renamed or recorded the file meanwhile.
      if (pinned.includes(name)) continue;
      if (database.get("SELECT 1 FROM blobs WHERE sha256 = ?", name) !== undefined) continue;
      removeFile(path);
      collected.files++;
      collected.bytes += file.size;
    }
  }
  return collected;
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
