/** What {@linkcode CertificateWants} works with. */
export interface CertificateWantsOptions {
  /** Whether a hostname leads anywhere: for no other is a certificate ordered. */
  routes(hostname: string): boolean;
  /** Asks for a certificate; `ordered` is the answer. */
  ask(hostname: string): void;
}

/** A name whose certificate did not come is not asked for again so soon. */
const PAUSE_MS = 10_000;
/** Names that are asked for, or were so a moment ago; others find none. */
const MAX_NAMES = 1000;

/** The names that visitors asked for by TLS and that have no certificate yet. */
export class CertificateWants {
  readonly #options: CertificateWantsOptions;
  readonly #asked = new Map<string, { answered: PromiseWithResolvers<void>; until: number }>();

  constructor(options: CertificateWantsOptions) {
    this.#options = options;
  }

  /** Resolves when an order has ended, or at once if there will be none now. Any number of visitors ask once. */
  async want(hostname: string): Promise<void> {
    if (!this.#options.routes(hostname)) return;
    const asked = this.#asked.get(hostname);
    if (asked !== undefined && asked.until > performance.now()) return await asked.answered.promise;
    if (asked === undefined && this.#asked.size >= MAX_NAMES && !this.#forget()) return;
    const answered = Promise.withResolvers<void>();
    this.#asked.set(hostname, { answered, until: Infinity });
    this.#options.ask(hostname);
    await answered.promise;
  }

  /** The order has ended. */
  ordered(hostname: string): void {
    const asked = this.#asked.get(hostname);
    if (asked === undefined) return;
    asked.until = performance.now() + PAUSE_MS;
    asked.answered.resolve();
  }

  /** Makes room; false = there is none. */
  #forget(): boolean {
    const now = performance.now();
    for (const [hostname, { until }] of this.#asked) if (until <= now) this.#asked.delete(hostname);
    return this.#asked.size < MAX_NAMES;
  }
}
