import { ApiError } from "../../api/errors.ts";

interface Waiting {
  owner: string;
  enter(): void;
}

/** Places for so many at once. A bounded number more wait for one, in turn; nobody has more than a share of both. */
export class Places {
  readonly #count: number;
  readonly #maxWaiting: number;
  readonly #shareOfOne: number;
  readonly #waiting: Waiting[] = [];
  /** Places taken, by owner. */
  readonly #taken = new Map<string, number>();
  #free: number;

  /** @param shareOfOne What one owner may have of the places, and of those that wait. */
  constructor(count: number, maxWaiting: number, shareOfOne = 1) {
    this.#count = count;
    this.#free = count;
    this.#maxWaiting = maxWaiting;
    this.#shareOfOne = shareOfOne;
  }

  /**
   * A place, which is free again once it is disposed of.
   *
   * @throws {ApiError} `overloaded`: too many wait.
   */
  async take(owner = ""): Promise<Disposable> {
    if (this.#canEnter(owner)) this.#enter(owner);
    else await this.#turn(owner);
    return { [Symbol.dispose]: () => this.#leave(owner) };
  }

  /** Whether all are free. */
  get isIdle(): boolean {
    return this.#free === this.#count;
  }

  #canEnter(owner: string): boolean {
    return this.#free > 0 && (this.#taken.get(owner) ?? 0) < this.#count * this.#shareOfOne;
  }

  #enter(owner: string): void {
    this.#free--;
    this.#taken.set(owner, (this.#taken.get(owner) ?? 0) + 1);
  }

  #turn(owner: string): Promise<void> {
    const ofOwner = this.#waiting.filter((each) => each.owner === owner).length;
    if (this.#waiting.length >= this.#maxWaiting || ofOwner >= this.#maxWaiting * this.#shareOfOne) {
      throw new ApiError("overloaded", "Too many others are served: try again");
    }
    return new Promise((enter) => this.#waiting.push({ owner, enter }));
  }

  #leave(owner: string): void {
    this.#free++;
    const left = this.#taken.get(owner)! - 1;
    if (left > 0) this.#taken.set(owner, left);
    else this.#taken.delete(owner);
    const next = this.#waiting.findIndex((each) => this.#canEnter(each.owner));
    if (next === -1) return;
    const [{ owner: nextOwner, enter }] = this.#waiting.splice(next, 1) as [Waiting];
    this.#enter(nextOwner);
    enter();
  }
}
