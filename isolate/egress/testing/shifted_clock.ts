/** Moves `performance.now()` ahead, until it is disposed. */
export class ShiftedClock implements Disposable {
  readonly #original = performance.now;
  #shiftMs = 0;

  constructor() {
    performance.now = () => this.#original.call(performance) + this.#shiftMs;
  }

  advance(ms: number): void {
    this.#shiftMs += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#original;
  }
}
