/**
 * An operation on what is there already ends in the same turn of the event loop: a peer that always has more would let
 * nobody else have one. After so long the others get theirs.
 */
const MAX_TURN_MS = 10;
/** An operation that took as long has waited, so that there was a turn. */
const WAITED_MS = 1;

/** Keeps a loop of operations from holding the event loop for as long as its peer likes. */
export class Turn {
  #startedAt = 0;

  /** Before the first operation. */
  start(): void {
    this.#startedAt = performance.now();
  }

  /**
   * After each operation: lets others in if it is their turn. To be awaited.
   *
   * @param operationStartedAt By `performance.now()`.
   */
  pass(operationStartedAt: number): Promise<void> | undefined {
    const now = performance.now();
    if (now - operationStartedAt >= WAITED_MS) this.#startedAt = now;
    if (now - this.#startedAt < MAX_TURN_MS) return undefined;
    return new Promise((resolve) =>
      setTimeout(() => {
        this.start();
        resolve();
      }, 0)
    );
  }
}
