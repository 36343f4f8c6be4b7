/** Does what many want at the same time once, for all of them. */
export class SingleFlight<Result> {
  readonly #flights = new Map<string, Promise<Result>>();

  /** How many are under way. */
  get size(): number {
    return this.#flights.size;
  }

  /** What is under way of that key, if anything is. */
  get(key: string): Promise<Result> | undefined {
    return this.#flights.get(key);
  }

  /** What is under way of that key; if nothing is, that is begun. */
  run(key: string, work: () => Promise<Result>): Promise<Result> {
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = work().finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return flight;
  }

  /** Waits for all, however they end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#flights.values());
  }
}
