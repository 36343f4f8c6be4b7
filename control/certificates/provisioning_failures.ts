import { retryDelayMs } from "./provisioning_plan.ts";

/** Orders of one certificate that failed in a row. */
export interface Failure {
  count: number;
  /** Unix time in ms: it is not ordered again earlier. */
  retryAt: number;
  /** The ACME server said when to try again. */
  isServersWish: boolean;
  message: string;
}

/** Then the one that failed the longest ago is forgotten: it is ordered again a little early. */
const MAX_FAILURES = 2000;

/** What failed, so that it is not tried again too soon. */
export class Failures {
  readonly #now: () => number;
  readonly #random: () => number;
  /** By the keys of targets, in the order of their last failures. */
  readonly #byKey = new Map<string, Failure>();

  constructor({ now, random }: { now: () => number; random: () => number }) {
    this.#now = now;
    this.#random = random;
  }

  get(key: string): Failure | null {
    return this.#byKey.get(key) ?? null;
  }

  add(key: string, message: string, retryAfterMs: number | null): Failure {
    const count = (this.#byKey.get(key)?.count ?? 0) + 1;
    const retryAt = this.#now() + retryDelayMs(count, retryAfterMs, this.#random());
    const failure = { count, retryAt, isServersWish: retryAfterMs !== null, message };
    this.#byKey.delete(key);
    this.#byKey.set(key, failure);
    if (this.#byKey.size > MAX_FAILURES) this.#byKey.delete(this.#byKey.keys().next().value!);
    return failure;
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
