import type { GitLink } from "../model.ts";
import type { ConfinedRequest } from "./confined_git.ts";
import { repositoryPath } from "./repository_url.ts";

/** How it stands with a commit. */
export interface CommitStatus {
  sha: string;
  state: "pending" | "success" | "failure";
  description: string;
  /** The deployment's; `null` = there is none. */
  targetUrl: string | null;
  /** Which of several statuses of the commit it is. */
  context: string;
}

/** GitHub takes no more. */
const MAX_DESCRIPTION_LENGTH = 140;
const GITLAB_STATES = { pending: "pending", success: "success", failure: "failed" } as const;

/**
 * The request that sets a status on a commit, by the API of its repository's provider: of GitHub, "Create a commit status"
 * (REST, 2022-11-28); of GitLab, "Set commit pipeline status"; of Gitea and Forgejo, `repoCreateStatus`. `null` = it has none.
 *
 * @param token Of the repository's credential.
 */
export function commitStatusRequest(
  { url, provider, apiUrl }: Pick<GitLink, "url" | "provider" | "apiUrl">,
  token: string,
  status: CommitStatus,
): ConfinedRequest | null {
  if (url === null || provider === "generic") return null;
  const { origin } = new URL(url);
  const { sha, state, targetUrl, context } = status;
  const description = status.description.slice(0, MAX_DESCRIPTION_LENGTH);
  const path = repositoryPath(url);
  const target = targetUrl === null ? {} : { target_url: targetUrl };
  if (provider === "gitlab") {
    return post(
      `${apiUrl ?? `${origin}/api/v4`}/projects/${encodeURIComponent(path)}/statuses/${sha}`,
      { "private-token": token },
      { state: GITLAB_STATES[state], name: context, description, ...target },
    );
  }
  const body = { state, context, description, ...target };
  if (provider === "github") {
    const api = apiUrl ?? (origin === "https://github.com" ? "https://api.github.com" : `${origin}/api/v3`);
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "application/vnd.github+json",
      "x-github-api-version": "2022-11-28",
    };
    return post(`${api}/repos/${path}/statuses/${sha}`, headers, body);
  }
  const headers = { authorization: `token ${token}` };
  return post(`${apiUrl ?? `${origin}/api/v1`}/repos/${path}/statuses/${sha}`, headers, body);
}

function post(url: string, headers: Record<string, string>, body: Record<string, unknown>): ConfinedRequest {
  return {
    url,
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": "isola", ...headers },
    body: JSON.stringify(body),
  };
}
