import type { Certificate, CertificateChanges } from "../contract.ts";
import { NoDelay } from "./no_delay.ts";
import { ServedCertificate } from "./served_certificate.ts";
import { wildcardOf } from "../wildcard_of.ts";

/** Which certificate a visitor is served with, by the server name that it asks for. */
export class CertificateTable implements Disposable {
  readonly #noDelay = new NoDelay();
  readonly #byId = new Map<string, ServedCertificate>();
  /** A name, perhaps with a wildcard → those that cover it: the last one serves. */
  readonly #byName = new Map<string, ServedCertificate[]>();

  /** What is installed covers its names from now on; no connection notices. */
  change({ installed, removed }: CertificateChanges): void {
    for (const certificate of installed) this.#install(certificate);
    for (const id of removed) this.#remove(id);
  }

  /**
   * The certificate for a name, ready to serve; an exact name goes before a wildcard. One that turns out to be unusable is as if it
   * had been removed.
   *
   * @param serverName In any case; a trailing dot does not count.
   * @throws There is no descriptor left to serve with it.
   */
  find(serverName: string): ServedCertificate | null {
    const hostname = serverName.toLowerCase().replace(/\.$/, "");
    for (;;) {
      const certificate = this.#lookUp(hostname);
      if (certificate === null || this.#isUsable(certificate)) return certificate;
      for (const [id, other] of this.#byId) if (other === certificate) this.#remove(id);
    }
  }

  /** @param hostname Lower case, without port and trailing dot. */
  has(hostname: string): boolean {
    return this.#lookUp(hostname) !== null;
  }

  [Symbol.dispose](): void {
    for (const certificate of this.#byId.values()) certificate.close();
    this.#byId.clear();
    this.#byName.clear();
    this.#noDelay[Symbol.dispose]();
  }

  #lookUp(hostname: string): ServedCertificate | null {
    return this.#byName.get(hostname)?.at(-1) ?? this.#byName.get(wildcardOf(hostname))?.at(-1) ?? null;
  }

  #isUsable(certificate: ServedCertificate): boolean {
    try {
      certificate.listen();
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error) throw error;
      console.error(`Cannot serve certificate for "${[...certificate.names].join(", ")}":`, error);
      return false;
    }
  }

  #install(certificate: Certificate): void {
    const before = this.#byId.get(certificate.id);
    const served = new ServedCertificate(certificate, this.#noDelay);
    this.#byId.set(certificate.id, served);
    for (const name of served.names) {
      const ofName = this.#byName.get(name);
      if (ofName === undefined) this.#byName.set(name, [served]);
      else ofName.push(served);
    }
    if (before !== undefined) this.#withdraw(before);
  }

  #remove(id: string): void {
    const served = this.#byId.get(id);
    if (served === undefined) return;
    this.#byId.delete(id);
    this.#withdraw(served);
  }

  #withdraw(served: ServedCertificate): void {
    for (const name of served.names) {
      const others = this.#byName.get(name)!.filter((other) => other !== served);
      if (others.length > 0) this.#byName.set(name, others);
      else this.#byName.delete(name);
    }
    served.retire();
  }
}
