import type { Subhoster } from "../contract.ts";
import { allowedRpcRoot } from "./allowed_rpc_root.ts";
import { TokenError } from "./token_error.ts";

/** How far a subhoster's clock may be ahead of ours. */
const MAX_SKEW_S = 5;
/** From `iat` to `exp`: nobody can take back a token. */
const MAX_LIFETIME_S = 24 * 60 * 60;
const DEPLOYMENT_ID = /^[!-~]{1,256}$/;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What a relay's token says (deno.com/subhosting/docs/ingress), checked. Times are Unix time in seconds. */
export interface Claims {
  deploymentId: string;
  /** As `URL` writes it. */
  rpcRoot: string;
  iat: number;
  exp: number;
  /** RFC 7519 §4.1.5. */
  nbf: number;
}

/**
 * Reads the payload of a token that the subhoster has signed. Claims that nobody here knows are ignored.
 *
 * @throws {TokenError} `claims`, `rpc_root`
 */
export function readClaims(payload: Uint8Array, { id, rpcRoots }: Subhoster): Claims {
  const refused = (what: string) => new TokenError("claims", id, what);
  const { deployment_id: deploymentId, rpc_root: rpcRootClaim, iat, exp, nbf = -Infinity } = parse(payload);
  if (typeof deploymentId !== "string" || !DEPLOYMENT_ID.test(deploymentId)) {
    throw refused("its deployment_id is not 1 to 256 visible ASCII characters");
  }
  if (typeof rpcRootClaim !== "string") throw refused("its rpc_root is not a string");
  if (typeof iat !== "number") throw refused("its iat is not a number");
  if (typeof exp !== "number") throw refused("its exp is not a number");
  if (typeof nbf !== "number") throw refused("its nbf is not a number");
  if (exp - iat > MAX_LIFETIME_S) throw refused(`its exp is more than ${MAX_LIFETIME_S} s after its iat`);
  const rpcRoot = allowedRpcRoot(rpcRootClaim, rpcRoots);
  if (rpcRoot === null) {
    throw new TokenError("rpc_root", id, "its rpc_root is none of those configured here, nor below one");
  }
  return { deploymentId, rpcRoot, iat, exp, nbf };
}

/**
 * Checks whether now is between a token's times.
 *
 * @throws {TokenError} `expired`, `not_yet_valid`
 */
export function checkTimes({ iat, exp, nbf }: Claims, subhosterId: string, nowMs: number): void {
  const now = nowMs / 1000;
  const ahead = Math.max(iat, nbf) - now;
  if (exp <= now) throw new TokenError("expired", subhosterId, `it expired ${Math.ceil(now - exp)} s ago`);
  if (ahead > MAX_SKEW_S) {
    const why = `it is valid only in ${Math.ceil(ahead)} s, by the clock of this server`;
    throw new TokenError("not_yet_valid", subhosterId, why);
  }
}

/** What is no JSON object has no claims. */
function parse(payload: Uint8Array): Record<string, unknown> {
  try {
    return Object(JSON.parse(utf8.decode(payload)));
  } catch {
    return {};
  }
}
