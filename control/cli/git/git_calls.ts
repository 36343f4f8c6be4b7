import type { GitBranch, GitProvider, GitSettings } from "../../model.ts";
import type { ApiProject } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";
import { unlessRefused } from "../unless_refused.ts";

/** The git settings of a project as the API shows them. */
export interface ApiGitLink extends GitSettings {
  credential: { username: string } | null;
  /** `null` = it follows no repository. The secret is there only if it is new. */
  webhook: { url: string; deliveredAt: string | null; secret?: string } | null;
  sync: { at: string | null; error: string | null };
  commitStatus: { at: string | null; error: string | null };
  branches: GitBranch[];
}

/** What of them is changed; the rest stays. */
export interface ApiGitChanges extends Partial<Omit<GitSettings, "provider">> {
  provider?: GitProvider;
  credential?: { username?: string; token: string } | null;
  renewSecret?: true;
}

/** The git settings of a project; `undefined` = it has none. */
export async function readGitLink(client: ApiClient, project: ApiProject): Promise<ApiGitLink | undefined> {
  const action = `read the git settings of "${project.name}"`;
  const call = client.json<ApiGitLink>({ action, path: pathOf(project) });
  return await unlessRefused(call, { code: "gitLinkNotFound", instead: undefined });
}

/** Changes what is given. */
export async function changeGitLink(
  client: ApiClient,
  project: ApiProject,
  changes: ApiGitChanges,
): Promise<ApiGitLink> {
  return await client.json({
    action: `set the git settings of "${project.name}"`,
    method: "PATCH",
    path: pathOf(project),
    json: changes,
  });
}

/** Ends following, and forgets the settings. */
export async function deleteGitLink(client: ApiClient, project: ApiProject): Promise<void> {
  await client.done({ action: `unlink "${project.name}"`, method: "DELETE", path: pathOf(project) });
}

/** Has the server look at the repository; returns when the branches that have changed are deployed, but for their builds. */
export async function syncGitLink(client: ApiClient, project: ApiProject): Promise<ApiGitLink> {
  return await client.json({
    action: `look at the repository of "${project.name}"`,
    method: "POST",
    path: `${pathOf(project)}/sync`,
  });
}

function pathOf({ id }: ApiProject): string {
  return `/v1/projects/${id}/git`;
}
