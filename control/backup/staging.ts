import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { removeIfThere } from "../files/remove_if_there.ts";
import { blobPath } from "../store/blob_path.ts";
import { FOLDERS } from "./backup_format.ts";

/** How often it is begun anew when files went away meanwhile: contents with their deployments, objects that git repacked. */
const MAX_ATTEMPTS = 5;
const MAX_FOLDER_FILES = 1_000_000;

/** A file to back up, by its name in the backup. It does not change any more. */
export interface StagedFile {
  name: string;
  path: string;
}

/** The state of a data directory as of one moment. */
export interface StagedState extends AsyncDisposable {
  files: StagedFile[];
  deployments: number;
}

/**
 * Copies the databases of a data directory, and links all else that belongs to its state, below its folder `backup`. What a
 * backup that was killed has left there is removed.
 *
 * @throws {Error} Another backup is under way, or there is no state.
 */
export async function stageState(dataDir: string, logs: boolean): Promise<StagedState> {
  const staging = join(dataDir, "backup");
  const stateDir = join(staging, "state");
  await using opening = new AsyncDisposableStack();
  await Deno.mkdir(staging, { recursive: true, mode: 0o700 });
  const lock = opening.use(
    await Deno.open(join(staging, "lock"), { write: true, create: true, mode: 0o600 }),
  );
  if (!await lock.tryLock(true)) throw new Error(`Cannot back up "${dataDir}": another backup is under way`);
  opening.defer(() => removeIfThere(stateDir));
  for (let attempt = 1;; attempt++) {
    await removeIfThere(stateDir);
    try {
      const { files, deployments } = await stageInto(stateDir, dataDir, logs);
      const owned = opening.move();
      return { files, deployments, [Symbol.asyncDispose]: () => owned.disposeAsync() };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function stageInto(
  dir: string,
  dataDir: string,
  logs: boolean,
): Promise<{ files: StagedFile[]; deployments: number }> {
  await Deno.mkdir(dir, { mode: 0o700 });
  const files: StagedFile[] = [];
  const stage = (name: string) => {
    const staged = { name, path: join(dir, String(files.length)) };
    files.push(staged);
    return staged.path;
  };
  const { hashes, deployments } = copyState(join(dataDir, "isola.db"), stage("isola.db"));
  for (const sha256 of hashes) {
    await Deno.link(blobPath(join(dataDir, "blobs"), sha256), stage(`blobs/${sha256}`));
  }
  if (logs) copyDatabase(join(dataDir, "logs.db"), stage("logs.db"));
  for (const name of await namesBelow(dataDir)) await Deno.link(join(dataDir, name), stage(name));
  return { files, deployments };
}

/** Copies the database as of one moment, and finds the contents that it names. */
function copyState(from: string, to: string): { hashes: string[]; deployments: number } {
  copyDatabase(from, to);
  using copy = new DatabaseSync(to);
  // Of what no deployment names there is no file in the backup, and a row would say that there is.
  copy.exec("DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM blob_references WHERE blob_id = blobs.id)");
  const hashes = copy.prepare("SELECT sha256 FROM blobs").all().map(({ sha256 }) => String(sha256));
  const { deployments } = copy.prepare("SELECT count(*) AS deployments FROM deployments").get()!;
  return { hashes, deployments: Number(deployments) };
}

/** In a read transaction of its own, which in WAL mode blocks no writer (https://sqlite.org/wal.html §2.2). */
function copyDatabase(from: string, to: string): void {
  using database = new DatabaseSync(from, { readOnly: true });
  database.prepare("VACUUM INTO ?").run(to);
}

/** Objects of repositories last: what refers to them was there before. */
async function namesBelow(dataDir: string): Promise<string[]> {
  const found: string[] = [];
  const pending: string[] = [...FOLDERS];
  for (let name; (name = pending.pop()) !== undefined;) {
    for (const entry of await entriesOf(join(dataDir, name))) {
      const below = `${name}/${entry.name}`;
      if (entry.isDirectory) pending.push(below);
      else if (entry.isFile) found.push(below);
    }
    if (found.length > MAX_FOLDER_FILES) {
      throw new Error(
        `Cannot back up "${dataDir}": more than ${MAX_FOLDER_FILES} files below ${FOLDERS.join(", ")}`,
      );
    }
  }
  const isObject = (name: string) => Number(name.includes("/objects/"));
  return found.sort((one, other) => isObject(one) - isObject(other));
}

async function entriesOf(dir: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(dir));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
