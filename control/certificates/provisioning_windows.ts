import type { CertificateRecord } from "../model.ts";
import { AcmeError } from "./acme/acme_error.ts";
import type { RenewalInfo } from "./acme/renewal_info.ts";

/** Who knows when a certificate should be renewed, and the time. */
export interface RenewalWindowsOptions {
  /** RFC 9773; `null` = its authority never says. */
  renewalInfo(chain: string, signal: AbortSignal): Promise<RenewalInfo | null>;
  now: () => number;
  /** 0 to 1. */
  random: () => number;
}

interface Window {
  start: number;
  end: number;
  /** Picked from it. */
  renewAt: number;
}

const INTERVAL_MS = 6 * 3600_000;
/** Bounds of what a server may ask for (RFC 9773 §4.3.2). */
const MIN_INTERVAL_MS = 60_000;
const MAX_INTERVAL_MS = 24 * 3600_000;
/** After a server that could not be asked, no other question earlier. */
const RETRY_MS = 3600_000;

/** When the authorities of certificates suggest to renew them. Asked from time to time, one after the other. */
export class RenewalWindows {
  readonly #options: RenewalWindowsOptions;
  /** By the ids of certificates that there are. */
  readonly #windows = new Map<string, Window | null>();
  readonly #nextCheckAt = new Map<string, number>();
  #retryAt = 0;

  constructor(options: RenewalWindowsOptions) {
    this.#options = options;
  }

  /** Unix time in ms; `null` = no suggestion is known. */
  suggestedAt(certificateId: string): number | null {
    return this.#windows.get(certificateId)?.renewAt ?? null;
  }

  /** When {@linkcode check} has something to do for one of the certificates; Unix time in ms. */
  nextCheckAt(certificates: readonly CertificateRecord[]): number {
    const next = certificates.map(({ id }) => this.#nextCheckAt.get(id) ?? 0);
    return Math.max(this.#retryAt, Math.min(Infinity, ...next));
  }

  /**
   * Asks for those that have not been asked for lately, and forgets those that are not named.
   *
   * @throws the signal's reason
   */
  async check(certificates: readonly CertificateRecord[], signal: AbortSignal): Promise<void> {
    this.#forgetAllBut(new Set(certificates.map(({ id }) => id)));
    const { now, renewalInfo } = this.#options;
    for (const { id, chain, names } of certificates) {
      if ((this.#nextCheckAt.get(id) ?? 0) > now()) continue;
      try {
        this.#keep(id, await renewalInfo(chain, signal));
      } catch (error) {
        signal.throwIfAborted();
        const reason = error instanceof AcmeError ? error.message : error;
        console.error(`Cannot ask when to renew the certificate of "${names.join(", ")}":`, reason);
        this.#retryAt = now() + RETRY_MS;
        // Others first then: it may be the only one that the server does not know.
        this.#nextCheckAt.set(id, now() + INTERVAL_MS);
        return;
      }
    }
  }

  #keep(id: string, info: RenewalInfo | null): void {
    const { now, random } = this.#options;
    const intervalMs = Math.min(
      Math.max(info?.retryAfterMs ?? INTERVAL_MS, MIN_INTERVAL_MS),
      MAX_INTERVAL_MS,
    );
    this.#nextCheckAt.set(id, now() + intervalMs);
    const known = this.#windows.get(id);
    if (info === null) this.#windows.set(id, null);
    else if (known?.start !== info.start || known.end !== info.end) {
      const { start, end } = info;
      this.#windows.set(id, { start, end, renewAt: start + (end - start) * random() });
    }
  }

  #forgetAllBut(ids: ReadonlySet<string>): void {
    for (const map of [this.#windows, this.#nextCheckAt]) {
      for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
    }
  }
}
