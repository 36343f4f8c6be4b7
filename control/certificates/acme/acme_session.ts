import type { AcmeResponse, AcmeTransport, Signer } from "./acme_transport.ts";
import { Answer } from "./answer.ts";

/** The URLs of an ACME server (RFC 8555 §7.1.1). */
export interface Directory {
  newNonce: string;
  newAccount: string;
  newOrder: string;
  /** RFC 9773; `null` = it does not say when to renew. */
  renewalInfo: string | null;
  requiresExternalAccount: boolean;
}

/** What is asked in the name of an account. */
export class AcmeSession {
  readonly directory: Directory;
  readonly #transport: AcmeTransport;
  readonly #account: Signer;

  constructor(directory: Directory, transport: AcmeTransport, account: Signer) {
    this.directory = directory;
    this.#transport = transport;
    this.#account = account;
  }

  /** What proves that this account answers a challenge (RFC 8555 §8.1). */
  keyAuthorization(token: string): string {
    return this.#account.key.keyAuthorization(token);
  }

  /**
   * Without a payload it is POST-as-GET (RFC 8555 §6.3).
   *
   * @throws {AcmeError}
   */
  async post(url: string, signal: AbortSignal, payload?: unknown): Promise<AcmeResponse> {
    const { newNonce: newNonceUrl } = this.directory;
    return await this.#transport.post(url, payload, { signer: this.#account, newNonceUrl, signal });
  }
}

/** @throws {AcmeError} */
export async function readDirectory(
  url: string,
  transport: AcmeTransport,
  signal: AbortSignal,
): Promise<Directory> {
  const directory = Answer.parse((await transport.get(url, signal)).text);
  return {
    newNonce: directory.text("newNonce"),
    newAccount: directory.text("newAccount"),
    newOrder: directory.text("newOrder"),
    renewalInfo: directory.optionalText("renewalInfo"),
    requiresExternalAccount: directory.object("meta")?.flag("externalAccountRequired") ?? false,
  };
}
