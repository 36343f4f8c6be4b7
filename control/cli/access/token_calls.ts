import type { ApiNewToken, ApiRole, ApiToken } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";

/** What a new token is to be. */
export interface TokenRequest {
  name: string;
  role: ApiRole;
  organizationId?: string;
  projectId?: string;
  /** ISO 8601; without it, as long as the one that makes it. */
  expiresAt?: string;
}

/** Those within the bound of the token in use. */
export async function listTokens(client: ApiClient): Promise<ApiToken[]> {
  return await client.pages({ action: "list access tokens", path: "/v1/tokens", query: { sort: "name" } });
}

/** The token in use. */
export async function readOwnToken(client: ApiClient): Promise<ApiToken> {
  return await client.json({ action: "check the access token", path: "/v1/tokens/self" });
}

/** Makes a token; its text is in this answer alone. */
export async function createToken(client: ApiClient, json: TokenRequest): Promise<ApiNewToken> {
  return await client.json({
    action: `create access token "${json.name}"`,
    method: "POST",
    path: "/v1/tokens",
    json,
  });
}

/** From now on it is refused. */
export async function revokeToken(client: ApiClient, { id, name }: ApiToken): Promise<void> {
  const path = `/v1/tokens/${encodeURIComponent(id)}`;
  await client.done({ action: `revoke access token "${name}"`, method: "DELETE", path });
}
