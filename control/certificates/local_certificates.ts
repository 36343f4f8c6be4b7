import type { CertificateMaterial } from "../model.ts";
import type { CertificateSource, SourcedCertificate } from "./certificate_book.ts";
import type { LocalCa } from "./local_ca.ts";

/** A leaf with more names grows every handshake. */
const MAX_NAMES_OF_ONE = 50;
const MAX_NAMES = 10_000;
const RENEWAL_INTERVAL_MS = 12 * 60 * 60_000;

/**
 * Certificates by the local CA for the names that are served here. Those of a base domain with a dot are covered by a
 * wildcard; OpenSSL and browsers refuse `*.localhost`, so below that each name is in a certificate of its own or with others
 * that came up together.
 */
export class LocalCertificates implements CertificateSource, Disposable {
  readonly #ca: LocalCa;
  readonly #platform: readonly string[];
  readonly #listeners = new Set<() => void>();
  readonly #timer: ReturnType<typeof setInterval>;
  #wanted: ReadonlySet<string> = new Set();
  #certificates: readonly CertificateMaterial[] = [];
  #updating: Promise<void> = Promise.resolve();

  constructor(ca: LocalCa) {
    this.#ca = ca;
    this.#platform = platformNames(ca.baseDomain);
    this.#timer = setInterval(() => this.#renew(), RENEWAL_INTERVAL_MS);
  }

  all(): readonly SourcedCertificate[] {
    return this.#certificates;
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves once every hostname has a certificate; what was covered before and is not among them has none any more. Names
   * that the CA may not sign for are left out, and those after the first 10,000.
   */
  async cover(hostnames: Iterable<string>): Promise<void> {
    const permitted = Iterator.from(hostnames).filter((name) => this.#ca.permits(name));
    this.#wanted = new Set([...this.#platform, ...permitted.take(MAX_NAMES)]);
    await this.#updateNext();
  }

  /** No certificate is renewed any more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #renew(): void {
    this.#updateNext().catch((error) => console.error("Cannot renew local certificates:", error));
  }

  /** One at a time: two would issue for the same names. */
  #updateNext(): Promise<void> {
    return this.#updating = this.#updating.catch(() => {}).then(() => this.#update());
  }

  async #update(): Promise<void> {
    const kept = this.#certificates.filter((certificate) =>
      !isDue(certificate) && certificate.names.some((name) => this.#wanted.has(name))
    );
    const covered = new Set(kept.flatMap(({ names }) => names));
    const missing = [...this.#wanted].filter((name) => !isCovered(name, covered));
    // The platform's names are the first, so that their wildcards are there when others are looked at.
    const own = missing.filter((name) => this.#platform.includes(name));
    const others = missing.filter((name) => !isCovered(name, new Set(own)));
    const issued: CertificateMaterial[] = [];
    for (const names of [own, ...chunks(others)]) {
      const [first, ...rest] = names;
      if (first !== undefined) issued.push(await this.#ca.issue([first, ...rest]));
    }
    if (issued.length === 0 && kept.length === this.#certificates.length) return;
    this.#certificates = [...kept, ...issued];
    for (const listener of this.#listeners) listener();
  }
}

/** Those of the default URLs if a wildcard can cover them, and of the server itself. */
function platformNames(baseDomain: string): string[] {
  if (baseDomain.includes(".")) return [baseDomain, `*.${baseDomain}`];
  return [baseDomain, `isola.${baseDomain}`, `*.isola.${baseDomain}`];
}

function isCovered(name: string, covered: ReadonlySet<string>): boolean {
  return covered.has(name) || covered.has(name.replace(/^[^.]+/, "*"));
}

/** After two thirds of its lifetime. */
function isDue({ notBefore, expiresAt }: CertificateMaterial): boolean {
  const from = Date.parse(notBefore);
  return Date.now() > from + (Date.parse(expiresAt) - from) * 2 / 3;
}

function chunks(names: readonly string[]): string[][] {
  const all: string[][] = [];
  for (let start = 0; start < names.length; start += MAX_NAMES_OF_ONE) {
    all.push(names.slice(start, start + MAX_NAMES_OF_ONE));
  }
  return all;
}
