/** Lines that wait for one reader; more are skipped, and the reader is told how many. */
export const MAX_FOLLOW_BUFFER = 1000;

/** What a live reader wants. */
export interface FollowerOptions<Line> {
  accepts(line: Line): boolean;
  /** What the reader gets in the place of lines that were skipped, of which `last` is the last. */
  skipped(count: number, last: Line): Line;
}

/** One live reader: a bounded buffer between the log and somebody who may be slow. */
export class Follower<Line> implements AsyncIterableIterator<Line> {
  readonly #options: FollowerOptions<Line>;
  readonly #onClosed: (follower: Follower<Line>) => void;
  #buffer: Line[] = [];
  #skipped: { count: number; last: Line } | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(options: FollowerOptions<Line>, onClosed: (follower: Follower<Line>) => void) {
    this.#options = options;
    this.#onClosed = onClosed;
  }

  /** Offers a line. Once one was skipped, so are all until the reader has caught up: the note stands where they were. */
  push(line: Line): void {
    if (this.#closed || !this.#options.accepts(line)) return;
    if (this.#skipped !== null || this.#buffer.length >= MAX_FOLLOW_BUFFER) {
      this.#skipped = { count: (this.#skipped?.count ?? 0) + 1, last: line };
    } else {
      this.#buffer.push(line);
    }
    this.#wake?.();
  }

  /** The next line; done once closed. Not to be called again before it resolved. */
  async next(): Promise<IteratorResult<Line, undefined>> {
    while (!this.#closed) {
      const line = this.#buffer.shift() ?? this.#skippedNote();
      if (line !== undefined) return { done: false, value: line };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = null;
    }
    return { done: true, value: undefined };
  }

  /** Stops following. Idempotent. */
  return(): Promise<IteratorResult<Line, undefined>> {
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

  #skippedNote(): Line | undefined {
    if (this.#skipped === null) return undefined;
    const { count, last } = this.#skipped;
    this.#skipped = null;
    return this.#options.skipped(count, last);
  }
}
