import type { Certificate, CertificateChanges, Challenge } from "../../runner/mod.ts";
import type { Config } from "../config/config.ts";
import type { Store } from "../store/mod.ts";
import { AcmeClient } from "./acme/acme_client.ts";
import { CertificateBook, type CertificateSource } from "./certificate_book.ts";
import { Challenges } from "./challenges.ts";
import { coversName } from "./covers_name.ts";
import { type LocalCa, openLocalCa } from "./local_ca.ts";
import { isLocalName } from "./local_names.ts";
import { LocalCertificates } from "./local_certificates.ts";
import { openOwnFiles } from "./own_files.ts";
import { Provisioning } from "./provisioning.ts";

/** What runners serve visitors with over TLS, and how they hear of changes. */
export interface CertificateFeed {
  /** As of now. */
  readonly current: readonly Certificate[];
  /** `apply` gets every change from the next on, in order, and resolves once it is in force. */
  onChange(apply: (changes: CertificateChanges) => Promise<void>): void;
  /** `apply` gets all challenges at every change, and resolves once they are answered. */
  onChallenges(apply: (challenges: readonly Challenge[]) => Promise<void>): void;
  /** Resolves when a certificate for a name was made or ordered, or at once if there will be none now. Never rejects. */
  want(hostname: string): Promise<void>;
}

/** What a {@linkcode CertificateService} works with. */
export interface CertificateServiceOptions {
  config: Pick<Config, "tls" | "dns" | "baseDomain" | "httpsAddr" | "localCaDir">;
  store: Pick<Store, "certificates" | "domains" | "acmeAccounts" | "projects">;
  /** The server's: `PATH` and `HOME` go to the command that answers dns-01. */
  env: Readonly<Record<string, string>>;
}

interface Local {
  ca: LocalCa;
  certificates: LocalCertificates;
}

interface Parts {
  book: CertificateBook;
  challenges: Challenges;
  /** `null` = the base domain is not a local one. */
  local: Local | null;
  /** `null` = nothing is ordered. */
  provisioning: Provisioning | null;
  isProductionName(hostname: string): boolean;
  owned: AsyncDisposableStack;
}

/** Where the certificates of a server come from, in order of preference: own files, the store, the local CA. */
export class CertificateService implements CertificateFeed, AsyncDisposable {
  readonly #book: CertificateBook;
  readonly #challenges: Challenges;
  readonly #local: Local | null;
  readonly #localNames = new Set<string>();
  readonly #provisioning: Provisioning | null;
  readonly #isProductionName: (hostname: string) => boolean;
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: Parts) {
    this.#book = parts.book;
    this.#challenges = parts.challenges;
    this.#local = parts.local;
    this.#provisioning = parts.provisioning;
    this.#isProductionName = parts.isProductionName;
    this.#owned = parts.owned;
  }

  /**
   * Reads what there is. Nothing is ordered before {@linkcode start}.
   *
   * @throws {CertificateError} A file of the operator cannot be used.
   */
  static async open({ config, store, env }: CertificateServiceOptions): Promise<CertificateService> {
    await using opening = new AsyncDisposableStack();
    const { tls, localCaDir, baseDomain, dns } = config;
    const challenges = new Challenges();
    const isProductionName = (hostname: string) => isProduction(hostname, baseDomain, store);
    const sources: CertificateSource[] = [];
    let local: Local | null = null;
    let provisioning: Provisioning | null = null;
    if (config.httpsAddr !== undefined) {
      const warn = (message: string) => console.error(message);
      sources.push(opening.use(await openOwnFiles(tls.certificates, { warn })), store.certificates);
    }
    if (config.httpsAddr !== undefined && isLocalName(baseDomain)) {
      const ca = await openLocalCa({ folder: localCaDir, baseDomain });
      local = { ca, certificates: opening.use(new LocalCertificates(ca)) };
      sources.push(local.certificates);
    }
    if (tls.acme !== null) {
      const authority = opening.use(
        await AcmeClient.open({
          config: tls.acme,
          accounts: store.acmeAccounts,
          env: { PATH: env.PATH ?? "", HOME: env.HOME ?? "" },
          publish: (all) => challenges.publish(all),
          dnsServers: dns.servers,
        }),
      );
      const platform = { baseDomain, wildcard: tls.acme.dns !== null, isPlatformName: isProductionName };
      const { certificates, domains } = store;
      provisioning = opening.use(new Provisioning({ certificates, domains, authority, platform }));
    }
    const book = opening.use(new CertificateBook(sources));
    const owned = opening.move();
    return new CertificateService({ book, challenges, local, provisioning, isProductionName, owned });
  }

  get current(): readonly Certificate[] {
    return this.#book.current;
  }

  /** When the first of the certificates in use expires, Unix ms; `null` = there is none. */
  get soonestExpiryMs(): number | null {
    return this.#book.soonestExpiryMs;
  }

  /** Orders for domains, unless nothing is ordered here. */
  get provisioning(): Pick<Provisioning, "provision" | "wake"> | undefined {
    return this.#provisioning ?? undefined;
  }

  onChange(apply: (changes: CertificateChanges) => Promise<void>): void {
    this.#book.onChange(apply);
  }

  onChallenges(apply: (challenges: readonly Challenge[]) => Promise<void>): void {
    this.#challenges.onChange(apply);
  }

  /** Orders what is missing or due, from now on. */
  start(): void {
    this.#provisioning?.start();
  }

  /** Orders nothing any more: another server does. What there is stays in use. */
  async stop(): Promise<void> {
    await this.#provisioning?.stop();
  }

  async want(hostname: string): Promise<void> {
    try {
      if (this.#local?.ca.permits(hostname)) {
        await this.#local.certificates.cover(this.#localNames.add(hostname));
      } else await this.#provisioning?.want(hostname);
    } catch (error) {
      console.error(`Cannot get a certificate for "${hostname}":`, error);
    }
    await this.applied();
  }

  /** Whether a name has a certificate, or gets one when somebody asks for it. */
  secures(hostname: string): boolean {
    if (this.current.some(({ names }) => names.some((name) => coversName(name, hostname)))) return true;
    return this.#local?.ca.permits(hostname) ??
      (this.#provisioning !== null && this.#isProductionName(hostname));
  }

  /** Resolves once all changes are in force. */
  async applied(): Promise<void> {
    await this.#book.applied();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** Whether it is a project's, and there is something behind it. */
function isProduction(
  hostname: string,
  baseDomain: string,
  { projects }: CertificateServiceOptions["store"],
): boolean {
  if (!hostname.endsWith(`.${baseDomain}`)) return false;
  const project = projects.getByName(hostname.slice(0, -baseDomain.length - 1));
  return project !== null && project.productionDeploymentId !== null;
}
