import type { ApiProject, ApiToken } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";
import { formatAge, formatSince } from "../quantity.ts";
import { unlessRefused } from "../unless_refused.ts";
import { listOrganizations } from "./organization_calls.ts";

/** A line of the table for each token: name, role, what it reaches, when it ends, last use, age, id. */
export async function tokenRows(client: ApiClient, tokens: readonly ApiToken[]): Promise<string[][]> {
  const organizations = new Map((await listOrganizations(client)).map(({ id, name }) => [id, name]));
  const projects = new Map<string, string>();
  for (const { projectId } of tokens) {
    if (projectId !== null && !projects.has(projectId)) {
      projects.set(projectId, await projectName(client, projectId));
    }
  }
  return tokens.map(({ name, role, organizationId, projectId, expiresAt, lastUsedAt, createdAt, id }) => {
    const reaches = projectId !== null
      ? `project ${projects.get(projectId)}`
      : organizationId !== null
      ? `organization ${organizations.get(organizationId) ?? organizationId}`
      : "the machine";
    return [name, role, reaches, endOf(expiresAt), formatSince(lastUsedAt), formatSince(createdAt), id];
  });
}

/** What was deleted meanwhile is shown by its id. */
async function projectName(client: ApiClient, projectId: string): Promise<string> {
  const call = client.json<ApiProject>({ action: "read project", path: `/v1/projects/${projectId}` });
  const project = await unlessRefused(call, { code: "projectNotFound", instead: null });
  return project?.name ?? projectId;
}

function endOf(expiresAt: string | null): string {
  if (expiresAt === null) return "never";
  const leftMs = Date.parse(expiresAt) - Date.now();
  return leftMs > 0 ? `in ${formatAge(leftMs)}` : "expired";
}
