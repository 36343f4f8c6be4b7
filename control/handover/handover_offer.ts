import { setTimeout as delay } from "node:timers/promises";
import { handoverPath, readWord, WORDS, writeWord } from "./handover_line.ts";
import { removeIfThere } from "../files/remove_if_there.ts";

/** How often a server whose successor has failed asks for the data directory. */
const TAKE_BACK_INTERVAL_MS = 1000;

/** What a server does for the one that takes over from it. */
export interface HandoverOfferOptions {
  dataDir: string;
  /** Ends all that only one server of a data directory may do. What visitors need goes on. */
  release(): Promise<void>;
  /** Does that again: the other server has ended before it served. Rejects while it cannot. */
  takeBack(): Promise<void>;
}

/** Lets a server that is started beside this one take its place. */
export class HandoverOffer implements AsyncDisposable {
  readonly #options: HandoverOfferOptions;
  readonly #superseded = new AbortController();
  readonly #closing = new AbortController();
  readonly #over: Promise<void>;
  #open: Deno.UnixListener | Deno.UnixConn | null = null;

  /** @param options.dataDir Held by this server. */
  constructor(options: HandoverOfferOptions) {
    this.#options = options;
    this.#over = this.#serve().catch((error) => {
      if (!this.#closing.signal.aborted) console.error("No server can take over from this one:", error);
    });
  }

  /** Aborted when another server has taken this one's place: it is to finish its requests and end. */
  get superseded(): AbortSignal {
    return this.#superseded.signal;
  }

  /** The other server sees by this that this one is at its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#close();
    await this.#over;
    this.#close(); // What came meanwhile.
  }

  async #serve(): Promise<void> {
    while (!this.#superseded.signal.aborted && !this.#closing.signal.aborted) {
      if (await this.#handOver(await this.#accept())) this.#superseded.abort();
      else await this.#takeBack();
    }
  }

  async #accept(): Promise<Deno.UnixConn> {
    const path = handoverPath(this.#options.dataDir);
    await removeIfThere(path); // Of a server that was killed.
    this.#closing.signal.throwIfAborted();
    const listener = this.#open = Deno.listen({ transport: "unix", path });
    try {
      await Deno.chmod(path, 0o600);
      const connection = this.#open = await listener.accept();
      this.#closing.signal.throwIfAborted();
      return connection;
    } finally {
      // One at a time. It removes the file with that, which must not happen when it is the successor's.
      if (!this.#closing.signal.aborted) listener.close();
    }
  }

  /** False = the other server has ended before it served. */
  async #handOver(connection: Deno.UnixConn): Promise<boolean> {
    try {
      await this.#options.release();
      await writeWord(connection, WORDS.released);
      return await readWord(connection) === WORDS.end;
    } catch (error) {
      console.error("Cannot hand over to another server:", error);
      return false;
    }
  }

  async #takeBack(): Promise<void> {
    this.#close();
    for (let reported = false; !this.#closing.signal.aborted;) {
      try {
        await this.#options.takeBack();
        return console.error("The server that was to take over has ended: this one goes on");
      } catch (error) {
        if (!reported) console.error("Cannot go on after another server failed to take over, yet:", error);
        reported = true;
        await delay(TAKE_BACK_INTERVAL_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
      }
    }
  }

  #close(): void {
    try {
      this.#open?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // Closed before.
    }
    this.#open = null;
  }
}
