import { signSubhosterToken, type TokenSigner } from "./sign_subhoster_token.ts";

/** Whose token it is, and for what. */
export interface RelayTokenOptions extends TokenSigner {
  deploymentId: string;
  rpcRoot: string;
  /** Unix time in seconds, as is `exp`. */
  iat: number;
  exp: number;
}

/** Signs what a relay sends as `x-deno-subhost` (deno.com/subhosting/docs/ingress). */
export function signRelayToken(
  { deploymentId, rpcRoot, iat, exp, ...signer }: RelayTokenOptions,
): Promise<string> {
  return signSubhosterToken(signer, { deployment_id: deploymentId, rpc_root: rpcRoot, iat, exp });
}
