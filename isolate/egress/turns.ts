/** A step carries at most 64 KiB, in some 40 µs: so long does a quiet connection wait for the busy ones. */
const STEPS_PER_TURN = 32;
/** So few steps in so long a time let the event loop wait between them. */
const MAX_TURN_MS = 20;

/**
 * The event loop looks for what has arrived when it has nothing to do, else at every 61st task (tokio's `event_interval`):
 * streams that always have more would keep everybody else waiting for tenths of a second. So all of them together make a
 * number of steps and then pause. The sandboxes go on in rotation, however many streams each has.
 */
export class Turns {
  #left = STEPS_PER_TURN;
  #startedAt = 0;
  #pausing = false;
  /** First the sandbox that is to go on. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** After each step of a stream of sandbox `id`: resolves when the next may be made. */
  pass(id: string): Promise<void> | undefined {
    if (!this.#pausing && performance.now() - this.#startedAt > MAX_TURN_MS) this.#start();
    if (this.#left > 0) {
      this.#left--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.push(resolve);
    else this.#waiting.set(id, [resolve]);
    if (!this.#pausing) this.#pause();
    return promise;
  }

  async #pause(): Promise<void> {
    this.#pausing = true;
    while (this.#waiting.size > 0) {
      // The first is over after the steps that are under way, the second after nothing.
      for (let i = 0; i < 2; i++) await new Promise((resolve) => setTimeout(resolve, 0));
      this.#start();
    }
    this.#pausing = false;
  }

  #start(): void {
    this.#startedAt = performance.now();
    this.#left = STEPS_PER_TURN;
    while (this.#left > 0 && this.#waiting.size > 0) {
      const [id, waiting] = this.#waiting.entries().next().value!;
      this.#left--;
      waiting.shift()!();
      this.#waiting.delete(id);
      if (waiting.length > 0) this.#waiting.set(id, waiting);
    }
  }
}
