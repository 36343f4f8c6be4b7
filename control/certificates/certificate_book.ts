import { createHash } from "node:crypto";
import type { Certificate, CertificateChanges } from "../../runner/mod.ts";
import type { CertificateMaterial, CertificateRecord } from "../model.ts";

/** Certificates of one origin, which have been checked. */
export interface CertificateSource {
  all(): readonly SourcedCertificate[];
  /** Calls `listener` after every change. Returns how to stop that. */
  onChanged(listener: () => void): () => void;
}

/** A certificate, and how it came about if its origin has several ways. */
export type SourcedCertificate = CertificateMaterial & Partial<Pick<CertificateRecord, "source">>;

/** Clocks are set, forwards and back. */
const MAX_TIMER_MS = 60 * 60_000;

/**
 * The certificates that runners serve with. For a name in several, the one of the first source is taken; in one source,
 * an uploaded one before one of ACME, then the one that expires last.
 *
 * **Invariant:** a name is in one published certificate at most, and that has not expired.
 */
export class CertificateBook implements Disposable {
  readonly #sources: readonly CertificateSource[];
  readonly #unsubscribe: (() => void)[];
  readonly #appliers: ((changes: CertificateChanges) => Promise<void>)[] = [];
  #published: ReadonlyMap<string, Certificate> = new Map();
  #applied: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #soonestExpiryMs: number | null = null;

  constructor(sources: readonly CertificateSource[]) {
    this.#sources = sources;
    this.#published = this.#compile();
    this.#unsubscribe = sources.map((source) => source.onChanged(() => this.#update()));
  }

  /** What is published as of now. */
  get current(): readonly Certificate[] {
    return [...this.#published.values()];
  }

  /** When the first of what is published expires, Unix ms; `null` = nothing is published. */
  get soonestExpiryMs(): number | null {
    return this.#soonestExpiryMs;
  }

  /** `apply` gets every change from the next on, in order, and resolves once it is in force. */
  onChange(apply: (changes: CertificateChanges) => Promise<void>): void {
    this.#appliers.push(apply);
  }

  /** Resolves once all changes are in force in every runner, so that whoever is told of one can rely on it. */
  async applied(): Promise<void> {
    await this.#applied;
  }

  /** Nothing changes any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  #update(): void {
    const before = this.#published;
    this.#published = this.#compile();
    const installed = [...this.#published.values()].filter(({ id }) => !before.has(id));
    const removed = [...before.keys()].filter((id) => !this.#published.has(id));
    if (installed.length === 0 && removed.length === 0) return;
    const changes = { installed, removed };
    this.#applied = Promise.allSettled(this.#appliers.map((apply) => apply(changes)));
  }

  #compile(): Map<string, Certificate> {
    const now = Date.now();
    const valid = this.#sources
      .flatMap((source, order) => source.all().map((material) => rank(material, order)))
      .filter(({ expiresAt }) => expiresAt > now)
      .sort((a, b) => a.rank - b.rank || b.expiresAt - a.expiresAt);
    const taken = new Set<string>();
    const published = new Map<string, Certificate>();
    this.#soonestExpiryMs = null;
    for (const { material: { names: all, chain, privateKey }, expiresAt } of valid) {
      const names = all.filter((name) => !taken.has(name));
      if (names.length === 0) continue;
      for (const name of names) taken.add(name);
      this.#soonestExpiryMs = Math.min(expiresAt, this.#soonestExpiryMs ?? Infinity);
      const id = identify(names, chain);
      published.set(id, this.#published.get(id) ?? { id, names, chain, privateKey });
    }
    clearTimeout(this.#timer);
    const nextAt = Math.min(now + MAX_TIMER_MS, ...valid.map(({ expiresAt }) => expiresAt));
    this.#timer = setTimeout(() => this.#update(), nextAt - now);
    return published;
  }
}

/** `order` is that of its source. The lower the rank, the better. */
function rank(material: SourcedCertificate, order: number) {
  const isAutomatic = material.source === "acme";
  return { material, rank: 2 * order + (isAutomatic ? 1 : 0), expiresAt: Date.parse(material.expiresAt) };
}

/** Of what is published: a certificate that gets or loses a name is another one. */
function identify(names: readonly string[], chain: string): string {
  return createHash("sha256").update(`${names.join()}\n${chain}`).digest("base64url");
}
