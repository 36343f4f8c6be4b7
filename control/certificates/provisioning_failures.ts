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
  /**
   * By what was ordered, in the order of their last failures: a domain that is removed and registered again has another
   * id, and the same limits.
   */
  readonly #byName = new Map<string, Failure>();

  constructor({ now, random }: { now: () => number; random: () => number }) {
    this.#now = now;
    this.#random = random;
  }

  get(name: string): Failure | null {
    return this.#byName.get(name) ?? null;
  }

  add(name: string, message: string, retryAfterMs: number | null): Failure {
    const count = (this.#byName.get(name)?.count ?? 0) + 1;
    const retryAt = this.#now() + retryDelayMs(count, retryAfterMs, this.#random());
    const failure = { count, retryAt, isServersWish: retryAfterMs !== null, message };
    this.#byName.delete(name);
    this.#byName.set(name, failure);
    if (this.#byName.size > MAX_FAILURES) this.#byName.delete(this.#byName.keys().next().value!);
    return failure;
  }

  forget(name: string): void {
    this.#byName.delete(name);
  }
}
