import type { Carrier, Exit, SandboxUsage } from "./carrier.ts";
import type { SandboxEndReason } from "./ending.ts";
import { measureThread, type ThreadUsage, workerThreads } from "./measure.ts";

/** What a slot asks of the process that it is in. */
export interface SharedCarrier {
  readonly pid: number;
  /** Of the whole process, divided by its slots. */
  memoryShare(): number;
  limitMemory(slot: SharedSlot, bytes: number): Promise<void>;
  /** Has the slot's Worker stop; settles when the host says that it has told it to. */
  close(slot: SharedSlot): Promise<void>;
  /** Ends the process, for what one of its slots did. */
  kill(slot: SharedSlot): void;
}

/** What {@linkcode SharedSlot} works with. */
export interface SharedSlotOptions {
  process: SharedCarrier;
  /** Path at which its keeper waits, as the process sees it: names the slot. */
  control: string;
  proxy: Carrier["proxy"];
}

/** How long a Worker may take to stop. */
const STOP_TIMEOUT_MS = 1_000;
const STOP_POLL_MS = 5;
const NOTHING: ThreadUsage = { cpuMs: 0, runDelayMs: 0 };

/**
 * A place in a process that many programs share.
 *
 * Its CPU time is that of its Worker's thread: what the runtime does for it on other threads (asynchronous cryptography and
 * files, the garbage collector's helpers, Workers that it starts) is not counted. Its memory cannot be told from that of
 * the others: each counts for an equal share of the process.
 */
export class SharedSlot implements Carrier {
  readonly exited: Promise<Exit>;
  readonly proxy: Carrier["proxy"];
  readonly control: string;
  /** Settles when another slot can be opened: it is blank, or gone. */
  readonly opened: Promise<void>;
  readonly #process: SharedCarrier;
  /** Workers that were started later have greater numbers. */
  readonly #lastWorker: number;
  readonly #exit = Promise.withResolvers<Exit>();
  readonly #open = Promise.withResolvers<void>();
  #threadId: string | undefined;
  /** Before it had a program. */
  #own = NOTHING;
  #thread = NOTHING;
  #memoryBytes = 0;
  #ending = false;
  #gone = false;

  constructor({ process, control, proxy }: SharedSlotOptions) {
    this.#process = process;
    this.control = control;
    this.proxy = proxy;
    this.#lastWorker = Math.max(0, ...workerThreads(process.pid).keys());
    this.exited = this.#exit.promise;
    this.opened = this.#open.promise;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Slots are opened one at a time, so the Worker that was not there before is its own. */
  settle(): void {
    const started = [...workerThreads(this.pid)].filter(([number]) => number > this.#lastWorker);
    [, this.#threadId] = started.sort(([a], [b]) => a - b)[0] ?? [];
    this.#own = this.#measureThread();
    this.#open.resolve();
  }

  /** The kernel bounds the process, not the slot. */
  async limitMemory(bytes: number): Promise<undefined> {
    await this.#process.limitMemory(this, bytes);
  }

  measure(): SandboxUsage {
    if (!this.#gone) this.#memoryBytes = this.#process.memoryShare();
    return { cpuMs: this.#measureThread().cpuMs - this.#own.cpuMs, memoryBytes: this.#memoryBytes };
  }

  runDelayMs(): number {
    return this.#measureThread().runDelayMs;
  }

  /**
   * Has its Worker stop. One that is busy does not: then, and where memory is short, the process ends, with all that is in
   * it.
   */
  kill(reason?: SandboxEndReason): void {
    if (this.#gone) return;
    if (reason === "memory_limit") return this.#process.kill(this);
    if (this.#ending) return;
    this.#ending = true;
    void this.#stop();
  }

  /** @internal by the process, when it is gone itself or its Worker is */
  leave(exit: Exit): void {
    this.measure();
    this.#gone = true;
    this.#open.resolve();
    this.#exit.resolve(exit);
  }

  /** It has left nothing. */
  release(): Promise<void> {
    return Promise.resolve();
  }

  async #stop() {
    const late = Date.now() + STOP_TIMEOUT_MS;
    let closed = false;
    void this.#process.close(this).then(() => closed = true);
    while (!this.#gone && !(closed && this.#hasStopped())) {
      if (Date.now() > late) return this.#process.kill(this);
      await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
    }
    if (!this.#gone) this.leave({ status: "stopped", lastWords: "", outOfMemory: false });
  }

  #hasStopped(): boolean {
    return this.#threadId === undefined || measureThread(this.pid, this.#threadId) === undefined;
  }

  #measureThread(): ThreadUsage {
    const usage = this.#threadId === undefined ? undefined : measureThread(this.pid, this.#threadId);
    return this.#thread = usage ?? this.#thread;
  }
}
