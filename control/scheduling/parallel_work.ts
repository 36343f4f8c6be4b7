/** Work that goes on beside whoever gives it, so much at once. The first failure is told to whoever gives more, or waits. */
export class ParallelWork implements AsyncDisposable {
  readonly #max: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** Starts work; resolves as soon as there is a place for more. */
  async add(work: () => Promise<void>): Promise<void> {
    const running: Promise<void> = work()
      .catch((error) => void (this.#failure ??= { error }))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    if (this.#running.size >= this.#max) await Promise.race(this.#running);
    this.throwFailure();
  }

  /** Throws what the first work that failed did. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for all, whose failure is thrown. */
  async finish(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.throwFailure();
  }

  /** Waits for all, however it ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running);
  }
}
