import type { AcmeConfig } from "../../config/tls_config.ts";
import type { CertificateMaterial } from "../../model.ts";
import { CertificateError } from "../certificate_error.ts";
import { checkCertificate } from "../check_certificate.ts";
import { Account, type AccountStore } from "./acme_account.ts";
import { AcmeError } from "./acme_error.ts";
import { type Issued, placeOrder } from "./acme_order.ts";
import { AcmeSession, type Directory, readDirectory } from "./acme_session.ts";
import { AcmeTransport, type Signer } from "./acme_transport.ts";
import { answerChallenges, type ChallengeAnswers, requireProvider } from "./answer_challenges.ts";
import { createDnsProvider } from "./dns/create_dns_provider.ts";
import { certificateIdOf, readRenewalInfo, type RenewalInfo } from "./renewal_info.ts";

/** What an {@linkcode AcmeClient} works with. */
export interface AcmeClientOptions extends Pick<ChallengeAnswers, "publish" | "dnsServers"> {
  config: AcmeConfig;
  accounts: AccountStore;
  /** The whole environment of `tls.acme.dns.command`: `PATH` and `HOME`. */
  env: Record<string, string>;
}

/** How one certificate is ordered. */
export interface OrderRequest {
  signal: AbortSignal;
  /** The chain (PEM) of the one that this renews; `null` = none. */
  replaces: string | null;
}

/** Also of all that it waits for. */
const ORDER_TIMEOUT_MS = 90_000;
const DIRECTORY_LIFETIME_MS = 3600_000;

/** Orders certificates from the ACME server (RFC 8555) that the operator chose. */
export class AcmeClient implements Disposable {
  readonly #directoryUrl: string;
  readonly #answers: ChallengeAnswers;
  readonly #transport: AcmeTransport;
  readonly #account: Account;
  #directory: { read: Directory; expiresAt: number } | null = null;

  private constructor(options: AcmeClientOptions, caCerts: string[]) {
    const { config, accounts, publish, dnsServers, env } = options;
    this.#directoryUrl = config.directory;
    this.#answers = { publish, dnsServers, dns: config.dns && createDnsProvider(config.dns, env) };
    this.#transport = new AcmeTransport(caCerts);
    const { directory, email, eab } = config;
    this.#account = new Account({
      store: accounts,
      directory,
      transport: this.#transport,
      registration: { email, eab },
    });
  }

  /** @throws {Error} the authority that the server is trusted by cannot be read */
  static async open(options: AcmeClientOptions): Promise<AcmeClient> {
    const { caFile } = options.config;
    return new AcmeClient(options, caFile === null ? [] : [await readCaFile(caFile)]);
  }

  /**
   * Orders a certificate for some names.
   *
   * @param names Lower case; `*.example.com` covers one label.
   * @throws {AcmeError} within 90 s, for the reader who knows what was ordered
   * @throws the signal's reason
   */
  async order(
    names: readonly string[],
    { signal, replaces }: OrderRequest,
  ): Promise<CertificateMaterial> {
    const timeout = AbortSignal.timeout(ORDER_TIMEOUT_MS);
    try {
      const bounded = AbortSignal.any([signal, timeout]);
      return await checkIssued(await this.#order(names, bounded, replaces), names);
    } catch (error) {
      signal.throwIfAborted();
      throw orderFailed(timeout.aborted, error);
    }
  }

  /**
   * When the server suggests to renew a certificate (RFC 9773); `null` = it never does.
   *
   * @param chain PEM.
   * @throws {AcmeError}
   * @throws the signal's reason
   */
  async renewalInfo(chain: string, signal: AbortSignal): Promise<RenewalInfo | null> {
    const { renewalInfo } = await this.#readDirectory(signal);
    const id = renewalInfo && await certificateIdOf(chain);
    if (renewalInfo === null || id === null) return null;
    return readRenewalInfo(await this.#transport.get(`${renewalInfo}/${id}`, signal));
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  async #order(names: readonly string[], signal: AbortSignal, renewed: string | null): Promise<Issued> {
    if (names.some((name) => name.startsWith("*."))) requireProvider(this.#answers.dns);
    const directory = await this.#readDirectory(signal);
    const replaces = renewed && await certificateIdOf(renewed);
    const place = async (account: Signer) =>
      await placeOrder(new AcmeSession(directory, this.#transport, account), {
        names,
        replaces,
        answer: (authorizations) => answerChallenges(authorizations, this.#answers, signal),
        signal,
      });
    const account = await this.#account.open(directory, signal);
    try {
      return await place(account);
    } catch (error) {
      if (!(error instanceof AcmeError) || error.type !== "accountDoesNotExist") throw error;
      return await place(await this.#account.reopen(account, directory, signal));
    }
  }

  async #readDirectory(signal: AbortSignal): Promise<Directory> {
    const now = performance.now();
    if (this.#directory === null || this.#directory.expiresAt < now) {
      const read = await readDirectory(this.#directoryUrl, this.#transport, signal);
      this.#directory = { read, expiresAt: now + DIRECTORY_LIFETIME_MS };
    }
    return this.#directory.read;
  }
}

async function readCaFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`Cannot read the authority of the ACME server in "${path}": ${message}`, { cause });
  }
}

/** What we asked for is what visitors can be served with; what an authority adds to that is nobody's here. */
async function checkIssued(issued: Issued, names: readonly string[]): Promise<CertificateMaterial> {
  const material = await checkCertificate(issued);
  const missing = names.find((name) => !material.names.includes(name));
  if (missing === undefined) return { ...material, names: [...names] };
  const detail = `its certificate is not for "${missing}"`;
  throw new AcmeError(`Cannot use what the ACME server signed: ${detail}`, { type: "badAnswer", detail });
}

function orderFailed(isLate: boolean, error: unknown): unknown {
  if (isLate) {
    const detail = `it was not done within ${ORDER_TIMEOUT_MS}ms`;
    return new AcmeError(`The ACME server was too slow: ${detail}`, { type: "timedOut", detail }, {
      cause: error,
    });
  }
  if (!(error instanceof CertificateError)) return error;
  const { message } = error;
  return new AcmeError(`The ACME server signed what is of no use: ${message}`, {
    type: "badAnswer",
    detail: message,
  }, { cause: error });
}
