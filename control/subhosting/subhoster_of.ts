import type { SubhostedName } from "./model.ts";

/**
 * Whose deployment that is, if it is a subhoster's: those are named `{subhosterId}/{deploymentId}` wherever they are beside
 * ordinary ones, whose ids have no "/". `null` = it is an ordinary one.
 */
export function subhosterOf(deploymentId: string): string | null {
  const end = deploymentId.indexOf("/");
  return end < 0 ? null : deploymentId.slice(0, end);
}

/** Both parts of such a name; `null` = it is an ordinary one. */
export function subhostedName(key: string): SubhostedName | null {
  const subhosterId = subhosterOf(key);
  return subhosterId === null ? null : { subhosterId, deploymentId: key.slice(subhosterId.length + 1) };
}
