/** Time that passes only as far as the next thing that is to happen, and a wall clock that may be set on the way. */
export class SimulatedTime {
  /** Ms since the start; never goes back. */
  nowMs = 0;
  #offsetMs = 1_000_000_000;
  /** Sorted, the next one last. */
  readonly #due: { atMs: number; run: () => void }[] = [];

  /** What the clock on the wall shows, in ms. */
  get clockMs(): number {
    return this.nowMs + this.#offsetMs;
  }

  setClock(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** Runs `run` later; what is due at the same time runs in the order in which it was asked for. */
  after(delayMs: number, run: () => void): void {
    const atMs = this.nowMs + delayMs;
    let low = 0;
    for (let high = this.#due.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#due[middle]!.atMs > atMs) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, { atMs, run });
  }

  /** Lets the next thing happen. False when there is none. */
  advance(): boolean {
    const next = this.#due.pop();
    if (next === undefined) return false;
    this.nowMs = next.atMs;
    next.run();
    return true;
  }
}
