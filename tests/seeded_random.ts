/** Pseudo-random numbers that a seed repeats (mulberry32), so that a failing case does too. Not for secrets. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number in `[0, limit)`. */
  below(limit: number): number {
    return this.#bits() % limit;
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  chance(probability: number): boolean {
    return this.#bits() < probability * 2 ** 32;
  }

  /** One of `items`, which has some. */
  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)]!;
  }

  /** `bytes` in pieces of random sizes, in order. */
  split(bytes: Uint8Array): Uint8Array[] {
    const pieces = [];
    const most = 1 + this.below(bytes.length + 1);
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + this.below(most));
      pieces.push(bytes.slice(at, end));
      at = end;
    }
    return pieces;
  }

  /** `bytes` with a few of them changed, dropped, doubled or moved. */
  mutate(bytes: Uint8Array): Uint8Array {
    const list = [...bytes];
    for (let change = 1 + this.below(4); change > 0; change--) {
      const at = this.below(list.length + 1);
      const byte = this.below(3) === 0
        ? this.below(256)
        : this.pick([0x0d, 0x0a, 0x20, 0x09, 0x3a, 0x00, 0x2c, 0xff]);
      const kind = this.below(4);
      if (kind === 0) list[at] = byte;
      else if (kind === 1) list.splice(at, 1);
      else if (kind === 2) list.splice(at, 0, byte);
      else list.splice(at, 0, ...list.slice(at, at + this.below(20)));
    }
    return Uint8Array.from(list);
  }

  #bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (bits ^ (bits >>> 14)) >>> 0;
  }
}
