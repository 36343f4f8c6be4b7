/** How many events a batch has at most; fewer where an origin finds that too much. */
export const MAX_BATCH_EVENTS = 1000;
/** Between two batches, unless more wait than went into the first one. */
const INTERVAL_MS = 250;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** A wait is longer or shorter by up to this part, so that origins which failed together do not come back together. */
const JITTER = 0.2;

/** What is known of a delivery that failed. */
export interface DeliveryFailure {
  /** HTTP status; `undefined` = there was no answer. */
  status?: number;
  /** The origin is not to be asked before. */
  retryAfterMs?: number;
}

/** When the next batch of an origin is to be sent, and how large it may be. Times are in ms on the caller's clock. */
export class DeliveryTurn {
  #dueAt = 0;
  #failures = 0;
  #maxEvents = MAX_BATCH_EVENTS;
  readonly #random: () => number;

  /** @param random From 0 to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  get dueAt(): number {
    return this.#dueAt;
  }

  get maxEvents(): number {
    return this.#maxEvents;
  }

  /** The origin has taken a batch; `isMore`: as much as could be sent, and not all. */
  delivered(now: number, isMore: boolean): void {
    this.#failures = 0;
    this.#maxEvents = Math.min(MAX_BATCH_EVENTS, this.#maxEvents * 2);
    this.#dueAt = isMore ? now : now + INTERVAL_MS;
  }

  /**
   * The origin has not taken a batch of so many events.
   *
   * @returns whether it will never take it: it is one event, and too large
   */
  failed(now: number, events: number, { status, retryAfterMs = 0 }: DeliveryFailure): boolean {
    if (status === 413) {
      this.#maxEvents = Math.max(1, Math.floor(events / 2));
      this.#dueAt = now;
      return events === 1;
    }
    this.#failures++;
    const isRefusal = status !== undefined && status >= 300 && status < 500 && status !== 429;
    const delayMs = isRefusal
      ? MAX_RETRY_MS
      : Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 16));
    const jittered = delayMs * (1 + JITTER * (2 * this.#random() - 1));
    this.#dueAt = now + Math.max(jittered, retryAfterMs);
    return false;
  }
}
