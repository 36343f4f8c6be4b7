/** Bounds of {@linkcode RecentlyUsed}. */
export interface RecentlyUsedBounds<Value> {
  maxEntries: number;
  /**
   * Of all together, as `weigh` has it.
   *
   * @default {Infinity}
   */
  maxWeight?: number;
  /** @default {() => 0} */
  weigh?(value: Value): number;
}

/** A map that forgets what was not used for longest, rather than grow past its bounds. */
export class RecentlyUsed<Value> {
  readonly #bounds: Required<RecentlyUsedBounds<Value>>;
  /** The one used last is the last. */
  readonly #values = new Map<string, Value>();
  #weight = 0;

  constructor({ maxEntries, maxWeight = Infinity, weigh = () => 0 }: RecentlyUsedBounds<Value>) {
    this.#bounds = { maxEntries, maxWeight, weigh };
  }

  /** What is remembered; it has been used then. */
  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    const { maxEntries, maxWeight, weigh } = this.#bounds;
    this.delete(key);
    this.#values.set(key, value);
    this.#weight += weigh(value);
    while (this.#values.size > maxEntries || this.#weight > maxWeight) {
      this.delete(this.#values.keys().next().value!);
    }
  }

  delete(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#weight -= this.#bounds.weigh(value);
  }
}
