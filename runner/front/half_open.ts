/** One connection of {@linkcode HalfOpen}: to be deleted when it is ready, or gone. */
interface Waiting {
  sinceMs: number;
  cut(): void;
}

/** Connections that have not shown yet what they are for. Each is cut after the same time, so one timer is enough. */
export class HalfOpen {
  readonly #timeoutMs: number;
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** @returns Ends the waiting; may be called again. */
  add(cut: () => void): () => void {
    const waiting = { sinceMs: performance.now(), cut };
    this.#waiting.add(waiting);
    this.#timer ??= setTimeout(this.#cutExpired, this.#timeoutMs);
    return () => this.#delete(waiting);
  }

  /** Makes room; false = there is nothing to cut. */
  cutOldest(): boolean {
    const [oldest] = this.#waiting;
    if (oldest === undefined) return false;
    this.#delete(oldest);
    oldest.cut();
    return true;
  }

  #delete(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #cutExpired = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const waiting of this.#waiting) {
      const leftMs = waiting.sinceMs + this.#timeoutMs - now;
      if (leftMs > 0) {
        this.#timer = setTimeout(this.#cutExpired, leftMs);
        return;
      }
      this.#waiting.delete(waiting);
      waiting.cut();
    }
  };
}
