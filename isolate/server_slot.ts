import { join } from "node:path";

/** Of one data directory at a time: the one that serves, and those before it that finish their requests. */
export const MAX_SERVERS = 4;
const FOLDER = "servers";

/** A server's place among those of its data directory that live. It has it until it disposes it or ends. */
export interface ServerSlot extends Disposable {
  /** From 0 on, below {@linkcode MAX_SERVERS}. */
  readonly index: number;
}

/**
 * Takes the first free slot: flock(2) on `{dataDir}/servers/{index}`, which the kernel releases with the process, however it
 * ends. The file holds the server's name.
 *
 * @throws {Error} all are taken
 */
export function takeServerSlot(dataDir: string, name: string): ServerSlot {
  Deno.mkdirSync(join(dataDir, FOLDER), { recursive: true });
  for (let index = 0; index < MAX_SERVERS; index++) {
    const file = Deno.openSync(slotPath(dataDir, index), { read: true, write: true, create: true });
    if (!file.tryLockSync(true)) {
      file.close();
      continue;
    }
    file.truncateSync();
    file.writeSync(new TextEncoder().encode(name));
    return {
      index,
      [Symbol.dispose]() {
        // Closing alone keeps it while a process is being started, which has a copy of every descriptor.
        file.unlockSync();
        file.close();
      },
    };
  }
  throw new Error(`Cannot start sandboxes for "${dataDir}": ${MAX_SERVERS} servers do so already`);
}

/**
 * The names of the servers that live.
 *
 * **Invariant:** a server has its slot before it makes its directory, so that who looks for directories first, and then
 * for slots, takes no living server for a dead one.
 */
export function livingServers(dataDir: string): Set<string> {
  const names = new Set<string>();
  for (let index = 0; index < MAX_SERVERS; index++) {
    try {
      using file = Deno.openSync(slotPath(dataDir, index));
      if (file.tryLockSync(false)) file.unlockSync();
      else names.add(Deno.readTextFileSync(slotPath(dataDir, index)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return names;
}

function slotPath(dataDir: string, index: number): string {
  return join(dataDir, FOLDER, String(index));
}
