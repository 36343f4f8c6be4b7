import { setTimeout as delay } from "node:timers/promises";
import { handoverPath, readWord, WORDS, writeWord } from "./handover_line.ts";
import { dataDirOwner } from "../store/mod.ts";

/** How long the other server may take, also to be ready itself. */
const RELEASE_TIMEOUT_MS = 20_000;
const RETRY_INTERVAL_MS = 50;
/** How long it may take to its end. */
const END_TIMEOUT_MS = 30_000;

/** The server whose place is taken. Disposed before it was told to end, it goes on as before. */
export interface Predecessor extends Disposable {
  /** Tells it to finish its requests and end, and resolves once it has ended, or after 30 s. */
  end(): Promise<void>;
}

/**
 * Asks the server of a data directory for its place; it has given the directory back when this resolves, and goes on
 * serving visitors.
 *
 * @returns `null` = there is none
 * @throws {Error} it does not give it back within 20 s
 */
export async function takePlace(dataDir: string): Promise<Predecessor | null> {
  const deadline = Date.now() + RELEASE_TIMEOUT_MS;
  for (;;) {
    const owner = dataDirOwner(dataDir);
    if (owner === null) return null;
    // It may not have come so far yet that it can be asked.
    const connection = await connect(dataDir);
    if (connection !== null && await wordBefore(connection, deadline) === WORDS.released) {
      return predecessor(connection);
    }
    connection?.close();
    if (Date.now() > deadline) {
      throw new Error(
        `Cannot take over from process ${owner}: it has not let go of "${dataDir}" within ${RELEASE_TIMEOUT_MS}ms`,
      );
    }
    await delay(RETRY_INTERVAL_MS);
  }
}

async function connect(dataDir: string): Promise<Deno.UnixConn | null> {
  try {
    return await Deno.connect({ transport: "unix", path: handoverPath(dataDir) });
  } catch {
    return null; // There is no such socket, or nobody listens there.
  }
}

/** `null` = it has gone, or says nothing before the deadline. */
async function wordBefore(connection: Deno.UnixConn, deadline: number): Promise<number | null> {
  const late = new AbortController();
  const timeout = delay(deadline - Date.now(), null, { signal: late.signal }).catch(() => null);
  const word = await Promise.race([readWord(connection), timeout]);
  late.abort();
  return word;
}

function predecessor(connection: Deno.UnixConn): Predecessor {
  let open = true;
  const close = () => {
    if (open) connection.close();
    open = false;
  };
  return {
    async end() {
      await writeWord(connection, WORDS.end);
      await wordBefore(connection, Date.now() + END_TIMEOUT_MS);
      close();
    },
    [Symbol.dispose]: close,
  };
}
