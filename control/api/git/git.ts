import { type Context, Hono } from "hono";
import { z } from "zod";
import { isBranchName } from "../../git/branch_name.ts";
import { DEFAULT_SETTINGS } from "../../git/deploy_commit.ts";
import { GitError } from "../../git/git_process.ts";
import { parseRepositoryUrl, providerOf } from "../../git/repository_url.ts";
import type { GitLink, GitSettings } from "../../model.ts";
import { buildCommand } from "../deployments/build_command.ts";
import { pathProblem } from "../deployments/asset_tree.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson } from "../input.ts";
import { findProject } from "../projects/projects.ts";

const MAX_CREDENTIAL_LENGTH = 4000;
/** GitLab takes any user name with a token, and so do the others. */
const USERNAME = "oauth2";

const repositoryUrl = z.string().transform((text, context) => {
  try {
    return parseRepositoryUrl(text);
  } catch (error) {
    context.issues.push({ code: "custom", message: (error as Error).message, input: text });
    return z.NEVER;
  }
});
/** Without what a request of one's own puts after it. */
const apiUrl = z.url({ protocol: /^https?$/, error: "must be an https or http URL" }).max(2000)
  .transform((text) => text.replace(/\/+$/, ""))
  .refine((text) => /^https?:\/\/[^@?#]+$/.test(text), "must have no credential, query or fragment");
const path = z.string().transform((text) => text.replace(/^(?:\.?\/)+|\/+$/g, "").replace(/^\.$/, ""));
const filePath = path.refine((text) => pathProblem(text) === null, "must be a path in the repository");
const secretText = z.string().min(1).max(MAX_CREDENTIAL_LENGTH).regex(
  /^[\x21-\x7e]+$/,
  "must be printable ASCII",
);

const body = z.object({
  url: repositoryUrl.nullable(),
  provider: z.enum(["github", "gitlab", "gitea", "forgejo", "generic"]),
  apiUrl: apiUrl.nullable(),
  productionBranch: z.string().refine(isBranchName, "must be the name of a branch").nullable(),
  previews: z.boolean(),
  rootDirectory: path.refine(
    (text) => text === "" || pathProblem(text) === null,
    "must be a folder of the repository",
  ),
  entrypoint: filePath.nullable(),
  buildCommand: buildCommand.nullable(),
  credential: z.object({
    username: secretText.refine((text) => !text.includes(":"), 'must have no ":"').default(USERNAME),
    token: secretText,
  }).nullable(),
  /** Makes a new secret for webhooks. */
  renewSecret: z.boolean(),
}).partial();

/** `/v1/projects/{id}/git`: which repository a project follows, and how its commits are deployed. */
export function gitRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store, follower } = deps;
  return new Hono<ApiEnv>()
    .get("/projects/:projectId/git", (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      return c.json(linkJson(c, deps, findLink(deps, id)));
    })
    .put("/projects/:projectId/git", async (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      const given = await readJson(c.req.raw, body);
      return c.json(change(c, deps, id, DEFAULT_SETTINGS, { credential: null, ...given }));
    })
    .patch("/projects/:projectId/git", async (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      const given = await readJson(c.req.raw, body);
      return c.json(change(c, deps, id, store.gitLinks.get(id) ?? DEFAULT_SETTINGS, given));
    })
    .delete("/projects/:projectId/git", (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      if (!store.gitLinks.delete(id)) throw notLinked();
      return c.body(null, 200);
    })
    .post("/projects/:projectId/git/sync", async (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      if (findLink(deps, id).url === null) throw notLinked();
      try {
        await follower.sync(id);
      } catch (error) {
        if (error instanceof GitError) throw new ApiError("syncFailed", error.message);
        throw error;
      }
      return c.json(linkJson(c, deps, findLink(deps, id)));
    });
}

type Given = z.infer<typeof body>;

/** The answer to a change: a secret that is new is shown, this once. */
function change(c: Context<ApiEnv>, deps: ApiDeps, projectId: string, before: GitSettings, given: Given) {
  const { gitLinks } = deps.store;
  const { credential, renewSecret = false, ...settings } = given;
  const link = gitLinks.put(projectId, merged(before, settings), credential);
  const isNew = link.url !== null && (renewSecret || gitLinks.webhookSecret(projectId) === null);
  const secret = isNew ? { secret: gitLinks.renewWebhookSecret(projectId) } : {};
  if (link.url !== null) deps.follower.wake(projectId);
  const shown = linkJson(c, deps, link);
  return { ...shown, webhook: shown.webhook && { ...shown.webhook, ...secret } };
}

function merged(before: GitSettings, given: Partial<GitSettings>): GitSettings {
  const settings = { ...before, ...given };
  if (settings.url === null || settings.url === before.url) return settings;
  return { ...settings, provider: given.provider ?? providerOf(settings.url), apiUrl: given.apiUrl ?? null };
}

function findLink({ store }: ApiDeps, projectId: string): GitLink {
  const link = store.gitLinks.get(projectId);
  if (link === null) throw notLinked();
  return link;
}

function notLinked(): ApiError {
  return new ApiError(
    "gitLinkNotFound",
    "The project follows no repository: set one with isola git link URL",
  );
}

function linkJson(c: Context<ApiEnv>, deps: ApiDeps, link: GitLink) {
  const { credentialUsername, deliveredAt, syncedAt, syncError, statusAt, statusError } = link;
  const { url, provider, apiUrl, productionBranch, previews, rootDirectory, entrypoint, buildCommand } = link;
  return {
    url,
    provider,
    apiUrl,
    productionBranch,
    previews,
    rootDirectory,
    entrypoint,
    buildCommand,
    credential: credentialUsername === null ? null : { username: credentialUsername },
    webhook: url === null ? null : { url: webhookUrl(c, deps, link.projectId), deliveredAt },
    sync: { at: syncedAt, error: syncError },
    commitStatus: { at: statusAt, error: statusError },
    branches: deps.store.gitLinks.branches(link.projectId),
    createdAt: link.createdAt,
    updatedAt: link.updatedAt,
  };
}

/** Where the provider reaches this server: by its first configured name, else as whoever asks does. */
function webhookUrl(c: Context<ApiEnv>, { controlHostnames }: ApiDeps, projectId: string): string {
  const [name] = controlHostnames;
  const base = name === undefined ? new URL(c.req.url).origin : `https://${name}`;
  return `${base}/git/webhooks/${projectId}`;
}
