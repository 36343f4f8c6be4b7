import type { JWTPayload } from "jose";

const loadJose = () => import("jose");

/** By whose secret. */
export interface TokenSigner {
  subhosterId: string;
  secret: string;
}

/** Signs what a subhoster and this server know each other by: a JWT (RFC 7519, HS256). */
export async function signSubhosterToken(
  { subhosterId, secret }: TokenSigner,
  claims: JWTPayload,
): Promise<string> {
  const { SignJWT } = await loadJose();
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: subhosterId })
    .sign(new TextEncoder().encode(secret));
}
