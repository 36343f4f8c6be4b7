import { createTarDecoder } from "modern-tar";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BLOB_MODE } from "../store/blob_path.ts";
import { type BackupHeader, HEADER_NAME, isBackupName, placeOf, readHeader } from "./backup_format.ts";

/** What was restored. */
export interface RestoreSummary {
  header: BackupHeader;
  files: number;
  /** Whether the key of the secrets was in the backup. */
  hasKey: boolean;
}

const MAX_HEADER_BYTES = 64 * 1024;
const STATE_MODE = 0o600;
/** The last to be in its place: without it there is no state, and a restore can be tried again. */
const STATE = "isola.db";
/** There while a restore goes on, and after one that was killed. */
const STAGING = "restore";

/**
 * Brings the state of a backup into a data directory that has none. All of it is read, compared with its hashes and checked
 * before the first file is in its place.
 *
 * @throws {Error} The directory holds state already; the backup is not one, is damaged, or ends too early.
 */
export async function restoreBackup(
  archive: ReadableStream<Uint8Array>,
  dataDir: string,
  signal: AbortSignal,
): Promise<RestoreSummary> {
  await Deno.mkdir(dataDir, { recursive: true });
  await refuseState(dataDir);
  const staging = join(dataDir, STAGING);
  await Deno.mkdir(staging, { recursive: true, mode: 0o700 });
  using lock = await Deno.open(staging);
  if (!await lock.tryLock(true)) {
    throw new Error(`Cannot restore into "${dataDir}": another restore is under way`);
  }
  try {
    for await (const { name } of Deno.readDir(staging)) {
      await Deno.remove(join(staging, name), { recursive: true });
    }
    const { header, names } = await unpack(archive, staging, signal);
    check(staging, new Set(names));
    for (const name of names.filter((name) => name !== STATE)) await putInPlace(staging, dataDir, name);
    await putInPlace(staging, dataDir, STATE);
    return { header, files: names.length, hasKey: names.includes("secret.key") };
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

/** Contents and a key without a database are those of a restore that was killed, where it has left its own folder. */
async function refuseState(dataDir: string): Promise<void> {
  const names = await Array.fromAsync(Deno.readDir(dataDir), ({ name }) => name);
  const found = names.find((name) =>
    name === STATE || !names.includes(STAGING) && (name === "secret.key" || name === "blobs")
  );
  if (found === undefined) return;
  throw new Error(
    `Cannot restore into "${dataDir}": it has a "${found}" already. Name a directory without state`,
  );
}

async function unpack(
  archive: ReadableStream<Uint8Array>,
  staging: string,
  signal: AbortSignal,
): Promise<{ header: BackupHeader; names: string[] }> {
  let header: BackupHeader | null = null;
  const names: string[] = [];
  const entries = archive.pipeThrough(createTarDecoder({ strict: true }), { signal });
  for await (const { header: { name, size, type }, body } of entries) {
    if (header === null) {
      if (name !== HEADER_NAME || size > MAX_HEADER_BYTES) {
        throw damaged(`it does not begin with "${HEADER_NAME}"`);
      }
      header = readHeader(await new Response(body).text());
      continue;
    }
    if (type !== "file" || !isBackupName(name)) throw damaged(`"${name}" does not belong into one`);
    await write(join(staging, placeOf(name)), name, body);
    names.push(name);
  }
  if (header === null) throw damaged("it is empty");
  return { header, names };
}

async function write(path: string, name: string, body: ReadableStream<Uint8Array>): Promise<void> {
  const isBlob = name.startsWith("blobs/");
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  using file = await Deno.open(path, { write: true, createNew: true, mode: isBlob ? BLOB_MODE : STATE_MODE });
  // Whatever the umask is: sandboxes are other users, and read contents by hard links.
  if (isBlob) await Deno.chmod(path, BLOB_MODE);
  const hash = createHash("sha256");
  for await (const chunk of body) {
    hash.update(chunk);
    for (let rest = chunk; rest.length > 0;) rest = rest.subarray(await file.write(rest));
  }
  await file.syncData();
  if (isBlob && name !== `blobs/${hash.digest("hex")}`) throw damaged(`the content of "${name}" is another`);
}

/** Whether the database is whole, and all that it names is there. */
function check(staging: string, names: ReadonlySet<string>): void {
  if (!names.has(STATE)) throw damaged(`it has no "${STATE}"`);
  using database = new DatabaseSync(join(staging, STATE), { readOnly: true });
  const problem = database.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
  if (problem !== "ok") throw damaged(`"${STATE}": ${problem}`);
  for (const { sha256 } of database.prepare("SELECT sha256 FROM blobs").iterate()) {
    if (!names.has(`blobs/${sha256}`)) throw damaged(`content "${sha256}" is missing`);
  }
}

async function putInPlace(staging: string, dataDir: string, name: string): Promise<void> {
  const place = join(dataDir, placeOf(name));
  await Deno.mkdir(dirname(place), { recursive: true });
  await Deno.rename(join(staging, placeOf(name)), place);
}

function damaged(problem: string): Error {
  return new Error(`Cannot restore the backup: ${problem}`);
}
