/** How long work goes on before the event loop gets its turn. */
const SLICE_MS = 4;

/** A slice of the event loop's time, for work that is made of many short synchronous steps. */
export class Turn {
  #startedAt = performance.now();

  /** To be called between two steps. */
  isOver(): boolean {
    return performance.now() - this.#startedAt > SLICE_MS;
  }

  /** Lets the event loop run. */
  async next(): Promise<void> {
    await nextTurn();
    this.#startedAt = performance.now();
  }
}

/** Lets the event loop run, between two steps that are long enough each. */
export function nextTurn(): Promise<void> {
  // In Deno 2.9 a chain of setImmediate() keeps sockets and messages waiting for a hundred turns.
  return new Promise((resolve) => setTimeout(resolve, 0));
}
