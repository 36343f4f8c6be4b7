import type { ErrorCode } from "../../runner/mod.ts";

/** Deaths in {@linkcode DEATHS_WINDOW_MS} after which the next start is not delayed. */
export const FREE_DEATHS = 5;
/** Also how long nothing may go wrong until all is forgotten. */
export const DEATHS_WINDOW_MS = 60_000;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;

/**
 * When something that failed may be started again; times are in ms on the caller's clock. Every boot that fails is
 * followed by a delay, 1 s doubling to 60 s. What booted may die {@linkcode FREE_DEATHS} times in a minute; from then on
 * each death is followed by such a delay, until nothing has gone wrong for a minute after the last one.
 */
export class Backoff {
  #failedBoots = 0;
  /** Those without a delay, oldest first. */
  #deathsAt: number[] = [];
  #delayedDeaths = 0;
  #retryAt = 0;
  #code: ErrorCode = "BOOT_FAILURE";

  /** Nothing is started before. */
  get retryAt(): number {
    return this.#retryAt;
  }

  /** What went wrong last. */
  get code(): ErrorCode {
    return this.#code;
  }

  /** From then on it makes no difference whether this is kept. */
  get forgottenAt(): number {
    return this.#retryAt + DEATHS_WINDOW_MS;
  }

  /** The start or the boot failed. */
  bootFailed(now: number, code: ErrorCode): void {
    this.#forget(now);
    this.#delay(now, code, ++this.#failedBoots);
  }

  booted(): void {
    this.#failedBoots = 0;
  }

  /** It had booted. */
  died(now: number, code: ErrorCode): void {
    this.#forget(now);
    this.#deathsAt = this.#deathsAt.filter((at) => at > now - DEATHS_WINDOW_MS);
    if (this.#delayedDeaths > 0 || this.#deathsAt.length >= FREE_DEATHS) {
      return this.#delay(now, code, ++this.#delayedDeaths);
    }
    this.#deathsAt.push(now);
    this.#retryAt = now;
    this.#code = code;
  }

  #delay(now: number, code: ErrorCode, nth: number) {
    this.#retryAt = now + Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (nth - 1));
    this.#code = code;
  }

  #forget(now: number) {
    if (now < this.forgottenAt) return;
    this.#failedBoots = 0;
    this.#deathsAt = [];
    this.#delayedDeaths = 0;
  }
}
