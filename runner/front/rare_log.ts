/** The shortest time between two lines. */
const INTERVAL_MS = 60_000;

/** Says what visitors may cause any number of times, but a log has to hold. */
export class RareLog {
  #lastMs = -Infinity;
  #left = 0;

  error(message: string, error: unknown): void {
    const now = performance.now();
    if (now - this.#lastMs < INTERVAL_MS) {
      this.#left++;
      return;
    }
    const more = this.#left > 0 ? ` (and ${this.#left} times since the last line)` : "";
    this.#lastMs = now;
    this.#left = 0;
    console.error(`${message}${more}:`, error);
  }
}
