const loadJose = () => import("jose");

/** Whose token it is, and for what. */
export interface RelayTokenOptions {
  subhosterId: string;
  secret: string;
  deploymentId: string;
  rpcRoot: string;
  /** Unix time in seconds, as is `exp`. */
  iat: number;
  exp: number;
}

/** Signs what a relay sends as `x-deno-subhost` (deno.com/subhosting/docs/ingress): a JWT (RFC 7519, HS256). */
export async function signRelayToken(
  { subhosterId, secret, deploymentId, rpcRoot, iat, exp }: RelayTokenOptions,
): Promise<string> {
  const { SignJWT } = await loadJose();
  return await new SignJWT({ deployment_id: deploymentId, rpc_root: rpcRoot, iat, exp })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: subhosterId })
    .sign(new TextEncoder().encode(secret));
}
