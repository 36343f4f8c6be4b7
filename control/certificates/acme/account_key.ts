/** External account binding (RFC 8555 §7.3.4). */
export interface ExternalAccount {
  keyId: string;
  /** Base64url. */
  hmacKey: string;
}

/** What a JWS of ACME says of itself beside its algorithm and key (RFC 8555 §6.2). */
export interface SignedHeader {
  url: string;
  nonce: string;
}

type Jose = typeof import("jose");

/** Loaded when first needed: a server without ACME does not pay for it. */
let loading: Promise<Jose> | undefined;
const loadJose = () => loading ??= import("jose");

/** The P-256 key of an account, and what is signed with it (ES256). */
export class AccountKey {
  /** The private key as a JWK in JSON. */
  readonly jwk: string;
  readonly #jose: Jose;
  readonly #key: CryptoKey;
  readonly #publicJwk: PublicJwk;
  /** RFC 7638, SHA-256. */
  readonly #thumbprint: string;

  private constructor(jose: Jose, jwk: string, key: CryptoKey, publicJwk: PublicJwk, thumbprint: string) {
    this.jwk = jwk;
    this.#jose = jose;
    this.#key = key;
    this.#publicJwk = publicJwk;
    this.#thumbprint = thumbprint;
  }

  static async generate(): Promise<AccountKey> {
    const jose = await loadJose();
    const { privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
    return await AccountKey.import(JSON.stringify(await jose.exportJWK(privateKey)));
  }

  /** @param jwk As {@linkcode AccountKey.jwk}. */
  static async import(jwk: string): Promise<AccountKey> {
    const jose = await loadJose();
    const { d, ...publicJwk } = JSON.parse(jwk) as PublicJwk & { d: string };
    const key = await jose.importJWK({ ...publicJwk, d }, "ES256");
    if (key instanceof Uint8Array) {
      throw new TypeError("Cannot use the key of an ACME account: it is not for ES256");
    }
    return new AccountKey(jose, jwk, key, publicJwk, await jose.calculateJwkThumbprint(publicJwk));
  }

  /** What proves that this account answers a challenge (RFC 8555 §8.1). */
  keyAuthorization(token: string): string {
    return `${token}.${this.#thumbprint}`;
  }

  /**
   * A request's body.
   *
   * @param accountUrl `null` = there is no account yet: the key is sent along.
   * @param payload `undefined` = POST-as-GET (RFC 8555 §6.3).
   */
  async sign(header: SignedHeader, accountUrl: string | null, payload: unknown): Promise<string> {
    const signer = accountUrl === null ? { jwk: this.#publicJwk } : { kid: accountUrl };
    const bytes = new TextEncoder().encode(payload === undefined ? "" : JSON.stringify(payload));
    const jws = await new this.#jose.FlattenedSign(bytes)
      .setProtectedHeader({ alg: "ES256", ...header, ...signer })
      .sign(this.#key);
    return JSON.stringify(jws);
  }

  /** Says that the account belongs to an external one. */
  async bindTo({ keyId, hmacKey }: ExternalAccount, url: string): Promise<unknown> {
    return await new this.#jose.FlattenedSign(new TextEncoder().encode(JSON.stringify(this.#publicJwk)))
      .setProtectedHeader({ alg: "HS256", kid: keyId, url })
      .sign(this.#jose.base64url.decode(hmacKey));
  }
}

interface PublicJwk {
  kty: string;
  crv: string;
  x: string;
  y: string;
}
