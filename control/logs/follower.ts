import type { AppLog, LogLevel } from "../model.ts";

/** Lines that wait for one reader; more are skipped, and the reader is told how many. */
export const MAX_FOLLOW_BUFFER = 1000;

/** Which lines of a deployment are wanted. `null` = all. */
export interface LogFilter {
  deploymentId: string;
  /** Text that the message contains, in any case. */
  q: string | null;
  levels: readonly LogLevel[] | null;
  regions: readonly string[] | null;
}

/** Whether a line passes a filter. */
export function matches(filter: LogFilter, entry: AppLog): boolean {
  return (filter.levels === null || filter.levels.includes(entry.level)) &&
    (filter.regions === null || filter.regions.includes(entry.region)) &&
    (filter.q === null || entry.message.toLowerCase().includes(filter.q.toLowerCase()));
}

/** One live reader: a bounded buffer between the log and somebody who may be slow. */
export class Follower implements AsyncIterableIterator<AppLog> {
  readonly filter: LogFilter;
  readonly #onClosed: (follower: Follower) => void;
  #buffer: AppLog[] = [];
  #skipped = 0;
  #lastSkipped: AppLog | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(filter: LogFilter, onClosed: (follower: Follower) => void) {
    this.filter = filter;
    this.#onClosed = onClosed;
  }

  /** Offers a line. Once one was skipped, so are all until the reader has caught up: the note stands where they were. */
  push(entry: AppLog): void {
    if (this.#closed || !matches(this.filter, entry)) return;
    if (this.#skipped > 0 || this.#buffer.length >= MAX_FOLLOW_BUFFER) {
      this.#skipped++;
      this.#lastSkipped = entry;
    } else {
      this.#buffer.push(entry);
    }
    this.#wake?.();
  }

  /** The next line; done once closed. Not to be called again before it resolved. */
  async next(): Promise<IteratorResult<AppLog, undefined>> {
    while (!this.#closed) {
      const entry = this.#buffer.shift() ?? this.#skippedNote();
      if (entry !== null) return { done: false, value: entry };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = null;
    }
    return { done: true, value: undefined };
  }

  /** Stops following. Idempotent. */
  return(): Promise<IteratorResult<AppLog, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Stops following: what is buffered is dropped and a waiting {@linkcode Follower.next} is done. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#buffer = [];
    this.#wake?.();
    this.#onClosed(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #skippedNote(): AppLog | null {
    if (this.#lastSkipped === null) return null;
    const message = `${this.#skipped} log lines were skipped: this reader is too slow`;
    const note: AppLog = { ...this.#lastSkipped, level: "warning", message };
    this.#skipped = 0;
    this.#lastSkipped = null;
    return note;
  }
}
