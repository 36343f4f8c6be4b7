import type { OriginClock } from "../origin_clock.ts";

/** Time that passes when a test wants it: by turns of the event loop, so that a slow machine is not late. */
export class TurnClock implements OriginClock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  /** Things that wait for their time. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass at once. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.atMs <= this.#nowMs && this.#timers.delete(timer)) timer.callback();
    }
  }

  /** Lets so much time pass in each turn of the event loop until `work` is over. */
  async pass<T>(stepMs: number, work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = work.finally(() => isOver = true);
    over.catch(() => {});
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.advance(stepMs);
    }
    return await over;
  }
}
