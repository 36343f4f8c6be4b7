/** An origin has so long to get and to check it. */
const LIFETIME_S = 60;

const loadJose = () => import("jose");

/** Who signs, and for what. */
export interface RpcTokenOptions {
  subhosterId: string;
  secret: string;
  /** `null` = the call is about none. */
  deploymentId: string | null;
  /** Unix ms. */
  nowMs: number;
}

/**
 * Signs the token of one call (RFC 7519, HS256), by which an origin knows us.
 * **Invariant:** its claims are `iat`, `exp` and `deployment_id`, no others: origins that were written for Deno Deploy
 * Subhosting need not accept more.
 */
export async function signRpcToken(
  { subhosterId, secret, deploymentId, nowMs }: RpcTokenOptions,
): Promise<string> {
  const { SignJWT } = await loadJose();
  const iat = Math.floor(nowMs / 1000);
  const claims = deploymentId === null ? {} : { deployment_id: deploymentId };
  return await new SignJWT({ ...claims, iat, exp: iat + LIFETIME_S })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: subhosterId })
    .sign(new TextEncoder().encode(secret));
}
