/** Between two requests of a visitor: who asks without a pause lets nobody else have a turn. */
const PAUSE_MS = 2;

/** Visitors that ask again and again. */
export class Load {
  readonly #counts: Record<string, number> = {};
  readonly #running: Promise<void>[] = [];
  #isEnding = false;

  /** One more of them, which waits for each answer. A second one of the same kind is counted with the first. */
  add(kind: string, ask: () => Promise<void>): void {
    this.#counts[kind] ??= 0;
    const run = (async () => {
      while (!this.#isEnding) {
        await ask();
        this.#counts[kind]!++;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    })();
    run.catch(() => {});
    this.#running.push(run);
  }

  /** How often all were answered so far. */
  get answered(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  /** How often each was answered. Rejects if one was not. */
  async end(): Promise<Record<string, number>> {
    this.#isEnding = true;
    await Promise.all(this.#running);
    return this.#counts;
  }
}
