import type { Route, Subhosted, Subhoster } from "../contract.ts";
import { checkTimes, type Claims, readClaims } from "./token_claims.ts";
import { TokenError } from "./token_error.ts";

type Jose = typeof import("jose");

const ALGORITHM = "HS256";
const MAX_TOKEN_LENGTH = 8 * 1024;
/** Tokens that were good, so that one which comes again costs a look-up; then those that were not used longest are forgotten. */
const MAX_REMEMBERED = 10_000;
/** A longer one is verified each time, so that all of them are 20 MB at most. */
const MAX_REMEMBERED_LENGTH = 2048;
/** RFC 7515 §7.1. An unsecured one has an empty signature. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** 32 bytes in base64url, whose last character has two bits to spare: they are 0, so that no two tokens are the same. */
const SIGNATURE = /\.[\w-]{42}[AEIMQUYcgkosw048]$/;
const RANDOM_KEY_BYTES = 32;

/** What a token is good for. */
export interface Verified {
  subhosted: Subhosted;
  /** To that deployment, whose id is `{subhosterId}/{deploymentId}`: no hostname leads there. */
  route: Route;
}

/** Who may sign, and with what. */
interface Signer {
  /** `null` = nobody. */
  subhoster: Subhoster | null;
  keys: readonly CryptoKey[];
}

/** Verifies the tokens of relays: JWTs (RFC 7519) which a subhoster signs with a secret that it shares with this server. */
export class TokenVerifier {
  readonly #jose: Jose;
  readonly #signers: ReadonlyMap<string, Signer>;
  readonly #nobody: Signer;
  readonly #remembered = new Map<string, { verified: Verified; claims: Claims }>();

  private constructor(jose: Jose, signers: readonly Signer[], nobody: Signer) {
    this.#jose = jose;
    this.#signers = new Map(signers.map((signer) => [signer.subhoster!.id, signer]));
    this.#nobody = nobody;
  }

  /** Loads what is needed for it, which costs memory where there are no subhosters. */
  static async load(subhosters: readonly Subhoster[]): Promise<TokenVerifier> {
    // As many keys for each, so that nobody learns from the time who is there or has two secrets.
    const count = Math.max(...subhosters.map(({ secrets }) => secrets.length));
    const signerOf = async (subhoster: Subhoster | null): Promise<Signer> => {
      const secrets: Uint8Array<ArrayBuffer>[] =
        subhoster?.secrets.map((secret) => new TextEncoder().encode(secret)) ?? [];
      while (secrets.length < count) secrets.push(crypto.getRandomValues(new Uint8Array(RANDOM_KEY_BYTES)));
      return { subhoster, keys: await Promise.all(secrets.map(importKey)) };
    };
    const [jose, nobody, ...signers] = await Promise.all([
      import("jose"),
      signerOf(null),
      ...subhosters.map(signerOf),
    ]);
    return new TokenVerifier(jose, signers, nobody);
  }

  /**
   * What a token is good for at a time.
   *
   * @param nowMs Unix time.
   * @throws {TokenError} It is good for nothing.
   */
  async verify(token: string, nowMs: number): Promise<Verified> {
    const remembered = this.#remembered.get(token) ?? await this.#verify(token);
    const { verified, claims } = remembered;
    this.#remembered.delete(token);
    checkTimes(claims, verified.subhosted.subhosterId, nowMs);
    this.#remember(token, remembered);
    return verified;
  }

  async #verify(token: string): Promise<{ verified: Verified; claims: Claims }> {
    const { subhoster, keys } = this.#signerOf(token);
    const payload = await this.#payloadOf(token, keys);
    if (subhoster === null) throw new TokenError("unknown_subhoster", null, "its kid is nobody's");
    const { id, maxConcurrency, requestTimeoutMs } = subhoster;
    if (payload === null) throw new TokenError("signature", id, "its signature is wrong");
    const claims = readClaims(payload, subhoster);
    const { deploymentId, rpcRoot } = claims;
    return {
      verified: {
        subhosted: { subhosterId: id, deploymentId, rpcRoot },
        route: { deploymentId: `${id}/${deploymentId}`, maxConcurrency, requestTimeoutMs },
      },
      claims,
    };
  }

  /** Who it says has signed it. */
  #signerOf(token: string): Signer {
    const malformed = () => new TokenError("malformed", null, "it is no JWT in compact form");
    if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) throw malformed();
    let header;
    try {
      header = this.#jose.decodeProtectedHeader(token);
    } catch {
      throw malformed();
    }
    // What is critical must be understood (RFC 7515 §4.1.11), and nothing is.
    if (header.crit !== undefined) throw malformed();
    const { kid } = header as { kid?: unknown };
    const signer = typeof kid === "string" && this.#signers.get(kid) || this.#nobody;
    if (header.alg !== ALGORITHM) {
      throw new TokenError("algorithm", signer.subhoster?.id ?? null, `its alg is not ${ALGORITHM}`);
    }
    return signer;
  }

  /** What was signed with one of the keys; `null` = it was not. */
  async #payloadOf(token: string, keys: readonly CryptoKey[]): Promise<Uint8Array | null> {
    if (!SIGNATURE.test(token)) return null;
    for (const key of keys) {
      try {
        return (await this.#jose.compactVerify(token, key, { algorithms: [ALGORITHM] })).payload;
      } catch (error) {
        if (!(error instanceof this.#jose.errors.JOSEError)) throw error;
      }
    }
    return null;
  }

  #remember(token: string, remembered: { verified: Verified; claims: Claims }): void {
    if (token.length > MAX_REMEMBERED_LENGTH) return;
    this.#remembered.set(token, remembered);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      return;
    }
  }
}

function importKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}
