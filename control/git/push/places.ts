import { ApiError } from "../../api/errors.ts";

/** Places for so many at once. A bounded number more wait for one, in turn. */
export class Places {
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  readonly #count: number;
  #free: number;

  constructor(count: number, maxWaiting: number) {
    this.#count = count;
    this.#free = count;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * A place, which is free again once it is disposed of.
   *
   * @throws {ApiError} `overloaded`: too many wait.
   */
  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else await this.#turn();
    return { [Symbol.dispose]: () => this.#leave() };
  }

  /** Whether all are free. */
  get isIdle(): boolean {
    return this.#free === this.#count;
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new ApiError("overloaded", "Too many pushes and clones are waiting: try again");
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
