import type { ApiRefusedToken, ApiSubhoster } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";

/** All that the server is configured for. */
export async function listSubhosters(client: ApiClient): Promise<ApiSubhoster[]> {
  return await client.json({ action: "list subhosters", path: "/v1/subhosters" });
}

/** Tokens of relays that were refused since the server started. */
export async function listRefusedTokens(client: ApiClient): Promise<ApiRefusedToken[]> {
  return await client.json({ action: "list refused tokens", path: "/v1/refused_tokens" });
}

/** Where the API has what a subhoster's deployments wrote. */
export function subhosterLogPath(id: string): string {
  return `/v1/subhosters/${encodeURIComponent(id)}/logs`;
}
