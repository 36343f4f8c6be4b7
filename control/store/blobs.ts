import { createHash, type Hash } from "node:crypto";
import { dirname, join } from "node:path";
import { MAX_FILES_BYTES } from "../model.ts";
import { removeIfThere } from "../files/remove_if_there.ts";
import { Turn } from "../scheduling/turn.ts";
import { collectBlobs, type CollectedBlobs } from "./blob_collection.ts";
import { BLOB_MODE, blobPath } from "./blob_path.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";

/** Writes at once; more are refused. */
const MAX_CONCURRENT_PUTS = 256;
/** The longest content: one file cannot be longer than all of a deployment. */
const MAX_BLOB_BYTES = MAX_FILES_BYTES;
/** Content is read, hashed and written in pieces of at most so many bytes, so that the event loop gets its turns. */
const CHUNK_BYTES = 256 * 1024;
/** Hashes looked up in one go. */
const LOOKUP_SIZE = 500;
/** Content that no deployment names is kept this long after a client last relied on it. */
const COLLECT_GRACE_MS = 60 * 60 * 1000;

/** Stored content: what its bytes hash to. */
export interface StoredBlob {
  /** SHA-256 of the bytes, in hex: its name. */
  sha256: string;
  /** SHA-1 of `blob {size}\0` and the bytes, in hex, as `git hash-object` prints it. */
  gitSha1: string;
  size: number;
}

/** How content is put. */
export interface PutOptions {
  /** The git SHA-1 that it is announced with. */
  gitSha1?: string;
  /** The project whose client sends it, and which finds it by its git SHA-1 from then on. */
  projectId?: string;
}

interface Commit {
  blob: StoredBlob;
  done: PromiseWithResolvers<void>;
}

/**
 * File contents by their SHA-256, one file each under `{dir}/ab/abcd…`, mode 0444. Written to a temporary name, synced,
 * renamed, the directory synced, and only then known to the database: a row means that the file is there for good.
 */
export class Blobs {
  readonly #database: Database;
  readonly #dir: string;
  #putting = 0;
  /** Contents between their renaming and their recording, one entry for each write: not to be collected. */
  readonly #pinned: string[] = [];
  #round: Commit[] = [];
  #committing = false;

  constructor(database: Database, dir: string) {
    this.#database = database;
    this.#dir = dir;
  }

  /** Where the content of that hash is, or would be. */
  path(sha256: string): string {
    return blobPath(this.#dir, sha256);
  }

  /** A new name for a file on the same disk, which is removed at the next start if it is left there. */
  temporaryPath(): string {
    return join(this.#dir, "tmp", crypto.randomUUID());
  }

  /** Whether content is stored. */
  has(sha256: string): boolean {
    return this.#database.get("SELECT 1 FROM blobs WHERE sha256 = ?", sha256) !== undefined;
  }

  /**
   * Which of these git SHA-1s a project has, and which are missing. Those found are not collected for an hour, so that a
   * deployment that names them can be created.
   */
  async byGitSha1(
    projectId: string,
    gitSha1s: Iterable<string>,
  ): Promise<{ found: Map<string, StoredBlob>; missing: string[] }> {
    const wanted = [...new Set(gitSha1s)];
    const found = new Map<string, StoredBlob>();
    const turn = new Turn();
    for (let start = 0; start < wanted.length; start += LOOKUP_SIZE) {
      const rows = this.#database.all<StoredBlob>(
        `UPDATE blobs SET used_at = ? WHERE git_sha1 IN (SELECT value FROM json_each(?))
           AND EXISTS (SELECT 1 FROM project_blobs WHERE project_id = ? AND blob_id = blobs.id)
         RETURNING sha256, git_sha1 AS gitSha1, size`,
        Date.now(),
        JSON.stringify(wanted.slice(start, start + LOOKUP_SIZE)),
        projectId,
      );
      for (const row of rows) found.set(row.gitSha1, row);
      if (turn.isOver()) await turn.next();
    }
    return { found, missing: wanted.filter((gitSha1) => !found.has(gitSha1)) };
  }

  /**
   * Stores content; durable when this resolves. A stream is read to its end or cancelled.
   *
   * @throws {StoreError} `busy`, `tooLarge` (past {@linkcode MAX_FILES_BYTES}), or `hashMismatch` (not the announced hash).
   */
  async put(source: Uint8Array | ReadableStream<Uint8Array>, options: PutOptions = {}): Promise<StoredBlob> {
    if (this.#putting >= MAX_CONCURRENT_PUTS) {
      if (source instanceof ReadableStream) await source.cancel();
      throw new StoreError("busy", `Cannot store content: ${MAX_CONCURRENT_PUTS} writes are under way`);
    }
    this.#putting++;
    const temporary = this.temporaryPath();
    try {
      using file = await Deno.open(temporary, { read: true, write: true, createNew: true, mode: BLOB_MODE });
      // Whatever the umask is: sandboxes are other users, and read it by hard links.
      await Deno.chmod(temporary, BLOB_MODE);
      const blob = await write(file, source);
      if (options.gitSha1 !== undefined && options.gitSha1 !== blob.gitSha1) {
        throw new StoreError(
          "hashMismatch",
          `Cannot store content as "${options.gitSha1}": its git SHA-1 is "${blob.gitSha1}"`,
        );
      }
      if (!this.#touch(blob.sha256, options.projectId)) {
        await file.syncData();
        await this.#keep(temporary, blob);
        if (options.projectId !== undefined) this.#give(options.projectId, blob.sha256);
      }
      return blob;
    } finally {
      this.#putting--;
      await removeIfThere(temporary);
    }
  }

  /**
   * Deletes what no deployment names and no client relied on of late.
   *
   * @param options.graceMs How long ago a client must have relied on it. @default {3_600_000}
   */
  collect(options: { graceMs?: number } = {}): Promise<CollectedBlobs> {
    const before = Date.now() - (options.graceMs ?? COLLECT_GRACE_MS);
    return collectBlobs({ database: this.#database, dir: this.#dir, pinned: this.#pinned, before });
  }

  async #keep(temporary: string, blob: StoredBlob): Promise<void> {
    this.#pinned.push(blob.sha256);
    try {
      await Deno.rename(temporary, this.path(blob.sha256));
      await this.#commit(blob);
    } finally {
      this.#pinned.splice(this.#pinned.indexOf(blob.sha256), 1);
    }
  }

  /** What a project does not have yet is written for it as if nobody had: how long that takes tells nothing of others. */
  #touch(sha256: string, projectId: string | null = null): boolean {
    return this.#database.run(
      `UPDATE blobs SET used_at = ?1 WHERE sha256 = ?2
         AND (?3 IS NULL OR EXISTS (SELECT 1 FROM project_blobs WHERE project_id = ?3 AND blob_id = blobs.id))`,
      Date.now(),
      sha256,
      projectId,
    ) > 0;
  }

  /** To nobody, if the project was deleted meanwhile. */
  #give(projectId: string, sha256: string): void {
    this.#database.run(
      `INSERT OR IGNORE INTO project_blobs
       SELECT projects.id, blobs.id FROM projects JOIN blobs ON sha256 = ?2 WHERE projects.id = ?1`,
      projectId,
      sha256,
    );
  }

  /** Joins the next round of commits: whatever comes while one is under way shares its directory syncs. */
  #commit(blob: StoredBlob): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#round.push({ blob, done });
    if (!this.#committing) this.#commitRounds();
    return done.promise;
  }

  async #commitRounds(): Promise<void> {
    this.#committing = true;
    while (this.#round.length > 0) {
      const round = this.#round;
      this.#round = [];
      try {
        const directories = new Set(round.map(({ blob }) => dirname(this.path(blob.sha256))));
        await Promise.all([...directories].map(syncDirectory));
        this.#insert(round.map(({ blob }) => blob));
        for (const { done } of round) done.resolve();
      } catch (error) {
        for (const { done } of round) done.reject(error);
      }
    }
    this.#committing = false;
  }

  #insert(blobs: readonly StoredBlob[]): void {
    this.#database.transaction(() => {
      for (const { sha256, gitSha1, size } of blobs) {
        this.#database.run(
          `INSERT INTO blobs (sha256, git_sha1, size, used_at) VALUES (?, ?, ?, ?)
           ON CONFLICT (sha256) DO UPDATE SET used_at = excluded.used_at`,
          sha256,
          gitSha1,
          size,
          Date.now(),
        );
      }
    });
  }
}

/**
 * Makes the directories of a blob store and removes what an earlier process left half written. Only the holder of the
 * data directory's lock may call it.
 */
export async function openBlobs(database: Database, dir: string): Promise<Blobs> {
  await removeIfThere(join(dir, "tmp"));
  await Deno.mkdir(join(dir, "tmp"), { recursive: true });
  for (let first = 0; first < 256; first++) {
    await Deno.mkdir(join(dir, first.toString(16).padStart(2, "0")), { recursive: true });
  }
  await syncDirectory(dir);
  return new Blobs(database, dir);
}

/** Writes and hashes content. A git hash begins with the length: it is taken on the way if that is known, else after. */
async function write(
  file: Deno.FsFile,
  source: Uint8Array | ReadableStream<Uint8Array>,
): Promise<StoredBlob> {
  const sha256 = createHash("sha256");
  let git = source instanceof Uint8Array ? gitHash(source.length) : null;
  let size = 0;
  for await (const chunk of source instanceof Uint8Array ? chunksOf(source) : source) {
    size += chunk.length;
    if (size > MAX_BLOB_BYTES) {
      throw new StoreError("tooLarge", `Cannot store content: it is longer than ${MAX_BLOB_BYTES} bytes`);
    }
    sha256.update(chunk);
    git?.update(chunk);
    for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
  }
  if (git === null) {
    git = gitHash(size);
    await file.seek(0, Deno.SeekMode.Start);
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let read = await file.read(buffer); read !== null; read = await file.read(buffer)) {
      git.update(buffer.subarray(0, read));
    }
  }
  return { sha256: sha256.digest("hex"), gitSha1: git.digest("hex"), size };
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    yield bytes.subarray(offset, offset + CHUNK_BYTES);
  }
}

function gitHash(size: number): Hash {
  return createHash("sha1").update(`blob ${size}\0`);
}

async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path);
  await directory.sync();
}
