import type { AcmeAccount } from "../../model.ts";
import { AccountKey, type ExternalAccount } from "./account_key.ts";
import { AcmeError } from "./acme_error.ts";
import type { Directory } from "./acme_session.ts";
import type { AcmeTransport, Signer } from "./acme_transport.ts";

/** Where accounts are kept: one for each directory. */
export interface AccountStore {
  get(directory: string): AcmeAccount | null;
  put(account: AcmeAccount): void;
}

/** What an account is made with. The server's terms of service are agreed to. */
export interface Registration {
  email: string | null;
  eab: ExternalAccount | null;
}

/** Where accounts are, and who asks for one. */
export interface AccountOptions {
  store: AccountStore;
  /** URL. */
  directory: string;
  transport: AcmeTransport;
  registration: Registration;
}

/** Our account with one ACME server: made once, then kept. */
export class Account {
  readonly #options: AccountOptions;
  /** One for all orders: whoever comes first opens it. */
  #signer: Promise<Signer> | null = null;

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  /** @throws {AcmeError} */
  async open(directory: Directory, signal: AbortSignal): Promise<Signer> {
    return await (this.#signer ?? this.#share(this.#find(directory, signal)));
  }

  /**
   * For when the server does not know the account any more: its key gets another.
   *
   * @throws {AcmeError}
   */
  async reopen({ key }: Signer, directory: Directory, signal: AbortSignal): Promise<Signer> {
    return await this.#share(this.#register(key, directory, signal));
  }

  async #share(opening: Promise<Signer>): Promise<Signer> {
    this.#signer = opening;
    try {
      return await opening;
    } catch (error) {
      if (this.#signer === opening) this.#signer = null;
      throw error;
    }
  }

  async #find(directory: Directory, signal: AbortSignal): Promise<Signer> {
    const kept = this.#options.store.get(this.#options.directory);
    if (kept !== null) return { key: await AccountKey.import(kept.privateKey), accountUrl: kept.url };
    return await this.#register(await AccountKey.generate(), directory, signal);
  }

  async #register(key: AccountKey, directory: Directory, signal: AbortSignal): Promise<Signer> {
    const { store, directory: directoryUrl, transport, registration } = this.#options;
    const url = await register(key, registration, { directory, transport, signal });
    store.put({ directory: directoryUrl, url, privateKey: key.jwk });
    return { key, accountUrl: url };
  }
}

/** Makes an account for a key, or finds the one that there is (RFC 8555 §7.3). Returns its URL. */
async function register(
  key: AccountKey,
  { email, eab }: Registration,
  { directory, transport, signal }: { directory: Directory; transport: AcmeTransport; signal: AbortSignal },
): Promise<string> {
  const { newAccount: url, newNonce: newNonceUrl } = directory;
  if (directory.requiresExternalAccount && eab === null) {
    throw new AcmeError(
      "The ACME server requires an external account: set tls.acme.eab in isola.yaml to what it gave you",
      { type: "externalAccountRequired", detail: "there is no tls.acme.eab" },
    );
  }
  const payload = {
    termsOfServiceAgreed: true,
    ...(email === null ? {} : { contact: [`mailto:${email}`] }),
    ...(eab === null ? {} : { externalAccountBinding: await key.bindTo(eab, url) }),
  };
  const signer = { key, accountUrl: null };
  const { headers } = await transport.post(url, payload, { signer, newNonceUrl, signal });
  return locationOf(headers);
}

/** @throws {AcmeError} `badAnswer` if what was made has no URL */
export function locationOf(headers: Headers): string {
  const url = headers.get("location");
  if (url !== null) return url;
  const detail = "it did not say where it is";
  throw new AcmeError(`Cannot understand the answer of the ACME server: ${detail}`, {
    type: "badAnswer",
    detail,
  });
}
