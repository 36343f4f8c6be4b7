import { join } from "node:path";
import { StoreError } from "./errors.ts";

/**
 * The exclusive lock of a data directory: flock(2) on `{dataDir}/lock`, which the kernel releases with the process,
 * however it ends. The file holds the owner's pid, for the message that the next one gets.
 */
export class DataLock implements Disposable {
  readonly #dataDir: string;
  #file: Deno.FsFile | null = null;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /**
   * Takes the lock, unless it is had already.
   *
   * @throws {StoreError} `locked`: another process holds it.
   */
  take(): void {
    if (this.#file !== null) return;
    // Whoever can open it can hold it.
    const options = { read: true, write: true, create: true, mode: 0o600 };
    const file = Deno.openSync(lockPath(this.#dataDir), options);
    try {
      if (!file.tryLockSync(true)) {
        throw new StoreError(
          "locked",
          `Cannot open data directory "${this.#dataDir}": another server holds it ` +
            `(process ${readOwner(this.#dataDir)}); "serve --take-over" replaces it`,
        );
      }
      file.truncateSync();
      file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
      this.#file = file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Gives the lock back. Idempotent. */
  release(): void {
    if (this.#file !== null) letGo(this.#file);
    this.#file = null;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** The pid of the process that holds a data directory, as text; `null` = nobody does. */
export function dataDirOwner(dataDir: string): string | null {
  try {
    using file = Deno.openSync(lockPath(dataDir));
    if (!file.tryLockSync(false)) return readOwner(dataDir);
    file.unlockSync();
    return null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Closing alone does not: a process that is being started has a copy of every descriptor until it executes its program. */
function letGo(file: Deno.FsFile): void {
  file.unlockSync();
  file.close();
}

function readOwner(dataDir: string): string {
  return Deno.readTextFileSync(lockPath(dataDir)).trim() || "unknown";
}

function lockPath(dataDir: string): string {
  return join(dataDir, "lock");
}
