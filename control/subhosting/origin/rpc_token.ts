import { signSubhosterToken, type TokenSigner } from "../sign_subhoster_token.ts";

/** An origin has so long to get and to check it. */
const LIFETIME_S = 60;

/** Who signs, and for what. */
export interface RpcTokenOptions extends TokenSigner {
  /** `null` = the call is about none. */
  deploymentId: string | null;
  /** Unix ms. */
  nowMs: number;
}

/**
 * Signs the token of one call, by which an origin knows us.
 * **Invariant:** its claims are `iat`, `exp` and `deployment_id`, no others: origins that were written for Deno Deploy
 * Subhosting need not accept more.
 */
export function signRpcToken({ deploymentId, nowMs, ...signer }: RpcTokenOptions): Promise<string> {
  const iat = Math.floor(nowMs / 1000);
  const claims = deploymentId === null ? {} : { deployment_id: deploymentId };
  return signSubhosterToken(signer, { ...claims, iat, exp: iat + LIFETIME_S });
}
