import { join } from "node:path";
import { StoreError } from "./errors.ts";

/**
 * Takes the exclusive lock of a data directory: flock(2) on `{dataDir}/lock`, which the kernel releases with the
 * process, however it ends. The file holds the owner's pid, for the message that the next one gets.
 *
 * @returns Releases the lock when disposed.
 * @throws {StoreError} `locked`: another process holds it.
 */
export function lockDataDir(dataDir: string): Disposable {
  const path = join(dataDir, "lock");
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  try {
    if (!file.tryLockSync(true)) {
      const owner = Deno.readTextFileSync(path).trim() || "unknown";
      throw new StoreError(
        "locked",
        `Cannot open data directory "${dataDir}": another server holds it (process ${owner})`,
      );
    }
    file.truncateSync();
    file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
