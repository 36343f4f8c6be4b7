import type { Certificate } from "../contract.ts";
import type { CoveredNames } from "../http1/request_head.ts";
import { type InnerConnection, InnerListener } from "./inner_listener.ts";
import type { NoDelay } from "./no_delay.ts";
import { wildcardOf } from "../wildcard_of.ts";

/** A certificate that visitors are served with. It costs next to nothing until the first of them comes. */
export class ServedCertificate implements CoveredNames {
  readonly #certificate: Certificate;
  readonly #names: ReadonlySet<string>;
  readonly #noDelay: NoDelay;
  #listener: InnerListener | null = null;

  constructor(certificate: Certificate, noDelay: NoDelay) {
    this.#certificate = certificate;
    this.#names = new Set(certificate.names);
    this.#noDelay = noDelay;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** @param hostname Lower case, without port and trailing dot. */
  covers(hostname: string): boolean {
    return this.#names.has(hostname) || this.#names.has(wildcardOf(hostname));
  }

  /** @throws As {@linkcode InnerListener} does. */
  listen(): void {
    this.#listener ??= new InnerListener(this.#certificate, this.#noDelay);
  }

  /** @throws There is no descriptor or port left. */
  connect(): Promise<InnerConnection> {
    this.listen();
    return this.#listener!.connect();
  }

  /** Connections that it serves go on. */
  retire(): void {
    this.#listener?.retire();
  }

  close(): void {
    this.#listener?.close();
  }
}
