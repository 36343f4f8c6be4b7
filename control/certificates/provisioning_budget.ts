import type { CertificateRecord } from "../model.ts";

/** Platform names that visitors can have certificates ordered for. */
const MAX_NEW_PER_HOUR = 10;
/** In all. */
const MAX_NAMES = 300;
const HOUR_MS = 3600_000;

/** How many certificates visitors can have ordered by asking for names: an ACME server signs only so many a week. */
export class NameBudget {
  readonly #now: () => number;
  /** In the last hour. */
  #failedAt: number[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** An order for a name failed. */
  failed(): void {
    this.#failedAt = [...this.#recentFailures(), this.#now()];
  }

  /**
   * Whether one more may be ordered.
   *
   * @param kept Certificates of platform names.
   * @param started How many are being ordered.
   */
  allows(kept: readonly CertificateRecord[], started: number): boolean {
    const made = kept.filter(({ createdAt }) => Date.parse(createdAt) + HOUR_MS > this.#now()).length;
    const tried = made + started + this.#recentFailures().length;
    return tried < MAX_NEW_PER_HOUR && kept.length + started < MAX_NAMES;
  }

  #recentFailures(): number[] {
    return this.#failedAt.filter((at) => at + HOUR_MS > this.#now());
  }
}
