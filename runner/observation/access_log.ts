import type { AccessBatch, AccessEntry } from "../contract.ts";

/** How long an entry waits for others. */
const FLUSH_DELAY_MS = 100;
/** Entries sent at once: what the other side takes in without holding up anybody. */
const MAX_BATCH = 256;
/** Entries that wait while the other side is busy; more are dropped and counted. */
export const MAX_WAITING = 10_000;

/** Requests that are over, on their way out of this thread in batches: the next is sent when the last was dealt with. */
export class AccessLog implements Disposable {
  readonly #send: (batch: AccessBatch) => void;
  #waiting: AccessEntry[] = [];
  #dropped = new Map<string, { count: number; last: AccessEntry }>();
  #isTaken = true;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(send: (batch: AccessBatch) => void) {
    this.#send = send;
  }

  add(entry: AccessEntry): void {
    if (this.#waiting.length >= MAX_WAITING) {
      const { count } = this.#dropped.get(entry.deploymentId) ?? { count: 0 };
      this.#dropped.set(entry.deploymentId, { count: count + 1, last: entry });
      return;
    }
    this.#waiting.push(entry);
    if (this.#isTaken) this.#timer ??= setTimeout(() => this.#sendNext(), FLUSH_DELAY_MS);
  }

  /** The last batch has been dealt with. */
  taken(): void {
    this.#isTaken = true;
    if (this.#waiting.length >= MAX_BATCH) this.#sendNext();
    else if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#sendNext(), FLUSH_DELAY_MS);
  }

  /** Sends all that waits. Idempotent. */
  [Symbol.dispose](): void {
    while (this.#waiting.length > 0) this.#sendNext();
  }

  #sendNext(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isTaken = false;
    this.#send({ entries: this.#waiting.splice(0, MAX_BATCH), dropped: this.#dropped });
    this.#dropped = new Map();
  }
}
