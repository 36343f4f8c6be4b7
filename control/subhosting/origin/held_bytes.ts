import { CallFailure } from "./call_failure.ts";

/** What is held of the answers of one subhoster's origins while they arrive. */
export const MAX_HELD_BYTES = 128 * 2 ** 20;

/** Counts bytes that are held in memory, so that there are never too many. */
export class HeldBytes {
  #held = 0;

  /** @throws {CallFailure} `unavailable`: there is no room. */
  take(bytes: number): void {
    if (this.#held + bytes > MAX_HELD_BYTES) {
      throw new CallFailure("unavailable", `answers of more than ${MAX_HELD_BYTES} bytes came at once`);
    }
    this.#held += bytes;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}
