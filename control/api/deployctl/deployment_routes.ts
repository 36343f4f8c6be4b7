import { type Context, Hono } from "hono";
import { z } from "zod";
import { redeployBody } from "../deployments/create_body.ts";
import { deploymentJson } from "../deployments/deployment_json.ts";
import { readChanges } from "../deployments/redeploy_changes.ts";
import { findDeployment } from "../deployments/deployments.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { readJson, readQuery } from "../input.ts";
import { ndjsonResponse } from "../logs/log_streams.ts";
import { deleteDeployment } from "../projects/projects.ts";
import { redeploy } from "../../deployments/redeploy.ts";
import { buildErrors } from "./build_errors.ts";
import { buildJson, publicHosts } from "./build_json.ts";
import { buildOutcome } from "./build_outcome.ts";
import { namedDeployment, namedProject } from "./named_project.ts";
import { MAX_MANIFEST_LENGTH, nestedManifest, readManifest } from "./nested_manifest.ts";
import { projectJson } from "./project_json.ts";
import { pushDeployment } from "./push_deployment.ts";
import { projectStats } from "./stats.ts";

/** Pages are counted from 0 here. */
const listQuery = z.object({
  page: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
/** What this client says instead of `production`. */
const prodBody = redeployBody.extend({ prod: z.boolean().nullish() });

/** `/projects/{name}/deployments…`, `/deployments/{id}`, and how one is made. */
export function deploymentRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .on("GET", ["/projects/:project/deployments", "/projects/:project/deployments/"], (c) => list(c, deps))
    .get("/projects/:project/deployments/:deployment/crons", (c) => {
      const project = namedProject(c, store, c.req.param("project"));
      namedDeployment(store, project, c.req.param("deployment"));
      return c.json([]);
    })
    .get("/projects/:project/stats", (c) => {
      const project = namedProject(c, store, c.req.param("project"));
      return ndjsonResponse((signal) => projectStats(deps, project, signal));
    })
    .post("/projects/:project/assets/negotiate", async (c) => {
      const { id } = namedProject(c, store, c.req.param("project"));
      const { files } = await readManifest(await readJson(c.req.raw, nestedManifest, MAX_MANIFEST_LENGTH));
      const hashes = [...files.values()].map(({ gitSha1 }) => gitSha1);
      return c.json((await store.blobs.byGitSha1(id, hashes)).missing);
    })
    .post("/projects/:project/deployment_with_assets", (c) => {
      return pushDeployment(c, deps, namedProject(c, store, c.req.param("project")));
    })
    .get("/deployments/:deployment", async (c) => {
      const { record, project } = findDeployment(c, store, c.req.param("deployment"));
      const errors = record.status === "failed"
        ? await buildErrors(deps.logs.build.list(record.id))
        : undefined;
      return c.json({
        ...buildJson(deps, record, project, errors),
        project: projectJson(store, project),
      });
    })
    .delete("/v1/deployments/:deployment", async (c) => {
      const { record } = findDeployment(c, store, c.req.param("deployment"));
      await deleteDeployment(deps, record.id);
      // The one answer of /v1 that has no body: this client wants JSON.
      return c.json(null);
    })
    .post("/v1/deployments/:deployment/redeploy", (c) => redeployDeployment(c, deps));
}

function list(c: Context<ApiEnv>, deps: ApiDeps): Response {
  const project = namedProject(c, deps.store, c.req.param("project")!);
  const { page, limit } = readQuery(c.req.query(), listQuery);
  const { items, total } = deps.store.deployments.list(project.id, {
    page: page + 1,
    limit,
    q: null,
    sort: "created_at",
    order: "desc",
  });
  const shown = projectJson(deps.store, project);
  const paging = {
    page,
    count: items.length,
    limit,
    totalCount: total,
    totalPages: Math.ceil(total / limit),
  };
  const builds = items.map((record) => ({ ...buildJson(deps, record, project), project: shown }));
  return c.json([builds, paging]);
}

/** Unlike that of /v1 it is answered when the new deployment is served: the client shows its domains, and deletes the old. */
async function redeployDeployment(c: Context<ApiEnv>, deps: ApiDeps): Promise<Response> {
  const { record, project } = findDeployment(c, deps.store, c.req.param("deployment")!);
  const { prod, ...body } = await readJson(c.req.raw, prodBody);
  const deployer = { project, principal: c.get("principal") };
  const changes = readChanges(deps, deployer, { ...body, production: prod ?? body.production });
  const created = redeploy(deps, record, changes);
  const { built, project: current } = await buildOutcome(deps, created, c.req.raw.signal);
  return c.json({ ...deploymentJson(deps, built, current), domains: publicHosts(deps, built, current) });
}
