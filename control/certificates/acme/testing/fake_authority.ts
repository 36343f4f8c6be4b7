import type { CertificateMaterial } from "../../../model.ts";
import type { Authority } from "../../provisioning.ts";
import type { RenewalInfo } from "../renewal_info.ts";

/** How long its certificates are good. */
export const LIFETIME_MS = 90 * 24 * 3600_000;

/** A test's authority, which signs what it is told to, when it is told to. */
export class FakeAuthority implements Authority {
  /** All that was ordered. */
  readonly orders: { name: string; replaces: string | null }[] = [];
  /** Orders in progress. */
  running = 0;
  mostRunning = 0;
  /** Why orders fail; `null` = they do not. */
  failure: Error | null = null;
  /** What it suggests. */
  info: RenewalInfo | Error | null = null;
  infosAsked = 0;
  readonly #now: () => number;
  #gate: PromiseWithResolvers<void> | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Orders wait from now on. */
  hold(): void {
    this.#gate = Promise.withResolvers();
  }

  /** What waits goes on. */
  release(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }

  async order(
    [name]: readonly string[],
    { signal, replaces }: { signal: AbortSignal; replaces: string | null },
  ): Promise<CertificateMaterial> {
    this.orders.push({ name: name!, replaces });
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      const aborted = new Promise<never>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      );
      await Promise.race([this.#gate?.promise, aborted]);
      if (this.failure !== null) throw this.failure;
      return this.sign(name!);
    } finally {
      this.running--;
    }
  }

  renewalInfo(): Promise<RenewalInfo | null> {
    this.infosAsked++;
    return this.info instanceof Error ? Promise.reject(this.info) : Promise.resolve(this.info);
  }

  /** @param ageMs How long ago it was made. */
  sign(name: string, ageMs = 0): CertificateMaterial {
    const notBefore = this.#now() - ageMs;
    return {
      names: [name],
      chain: `chain ${this.orders.length}`,
      privateKey: "key",
      cipher: "ec",
      notBefore: new Date(notBefore).toISOString(),
      expiresAt: new Date(notBefore + LIFETIME_MS).toISOString(),
    };
  }
}
