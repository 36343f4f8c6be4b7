/** How often something took how long, in the buckets of a Prometheus histogram. */
export class Histogram {
  /** Upper bounds of the buckets, ascending. The last bucket has none. */
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds In the unit of what is observed. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  /** Of all observations. */
  get sum(): number {
    return this.#sum;
  }

  /** How many observations are at most as great as each bound; then, all. */
  get cumulative(): number[] {
    let count = 0;
    return this.#counts.map((own) => count += own);
  }

  observe(value: number): void {
    const index = this.bounds.findIndex((bound) => value <= bound);
    this.#counts[index === -1 ? this.bounds.length : index]!++;
    this.#sum += value;
  }
}
