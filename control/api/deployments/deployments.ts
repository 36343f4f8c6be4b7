import { type Context, Hono } from "hono";
import { redeploy } from "../../deployments/redeploy.ts";
import type { Project } from "../../model.ts";
import type { DeploymentRecord } from "../../store/mod.ts";
import { admits } from "../access/access.ts";
import { assertFree, domainProblem } from "./create_domains.ts";
import { redeployBody } from "./create_body.ts";
import { createDeployment } from "./create_deployment.ts";
import { deploymentJson } from "./deployment_json.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { domainText } from "../names.ts";
import { readChanges } from "./redeploy_changes.ts";
import { listQuery, pageLinks } from "../paging.ts";
import { deleteDeployment, findProject } from "../projects/projects.ts";

const query = listQuery(["id", "created_at"], "created_at");

/** `/v1/projects/{id}/deployments` and `/v1/deployments/{id}` apart from their logs. */
export function deploymentRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .get("/projects/:projectId/deployments", (c) => {
      const project = findProject(c, store, c.req.param("projectId"));
      const options = readQuery(c.req.query(), query);
      const listed = store.deployments.list(project.id, options);
      c.header("link", pageLinks(c.req.url, options, listed));
      return c.json(listed.items.map((record) => deploymentJson(deps, record, project)));
    })
    .post("/projects/:projectId/deployments", async (c) => {
      const project = findProject(c, store, c.req.param("projectId"));
      const deployer = { project, principal: c.get("principal") };
      return c.json(deploymentJson(deps, await createDeployment(deps, deployer, c.req.raw), project));
    })
    .get("/deployments/:deploymentId", (c) => {
      const { record, project } = findDeployment(c, store, c.req.param("deploymentId"));
      return c.json(deploymentJson(deps, record, project));
    })
    .delete("/deployments/:deploymentId", async (c) => {
      const { record } = findDeployment(c, store, c.req.param("deploymentId"));
      await deleteDeployment(deps, record.id);
      return c.body(null, 200);
    })
    .post("/deployments/:deploymentId/promote", async (c) => {
      const { record } = findDeployment(c, store, c.req.param("deploymentId"));
      if (!store.deployments.promote(record.id)) throw notReady("promote", record);
      await deps.routed();
      const promoted = findDeployment(c, store, record.id);
      return c.json(deploymentJson(deps, promoted.record, promoted.project));
    })
    .post("/deployments/:deploymentId/redeploy", async (c) => {
      const { record, project } = findDeployment(c, store, c.req.param("deploymentId"));
      const body = await readJson(c.req.raw, redeployBody);
      const changes = readChanges(deps, { project, principal: c.get("principal") }, body);
      return c.json(deploymentJson(deps, redeploy(deps, record, changes), project));
    })
    .route("/deployments/:deploymentId/domains", attachmentRoutes(deps));
}

function attachmentRoutes({ store, baseDomain, routed }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .put("/:domain", async (c) => {
      const { record, project } = findDeployment(c, store, c.req.param("deploymentId")!);
      const domain = readDomain(c.req.param("domain"));
      const problem = domainProblem(domain, project.name, baseDomain);
      if (problem !== null || domain.includes("{")) {
        throw new ApiError("badRequest", `Invalid domain "${domain}": ${problem ?? "must be a hostname"}`);
      }
      if (record.status !== "success") throw notReady(`attach "${domain}" to`, record);
      assertFree(store, { project, principal: c.get("principal") }, domain);
      store.hostnames.attach(record.id, domain);
      await routed();
      return c.json({ domain });
    })
    .delete("/:domain", async (c) => {
      const { record } = findDeployment(c, store, c.req.param("deploymentId")!);
      const domain = readDomain(c.req.param("domain"));
      if (!store.hostnames.detach(record.id, domain)) {
        throw new ApiError(
          "domainNotFound",
          `Domain "${domain}" is not attached to deployment "${record.id}"`,
        );
      }
      await routed();
      return c.json({ domain });
    });
}

/**
 * The deployment with its project, if the token may see it.
 *
 * @throws {ApiError} `deploymentNotFound`.
 */
export function findDeployment(
  c: Context<ApiEnv>,
  store: ApiDeps["store"],
  deploymentId: string,
): { record: DeploymentRecord; project: Project } {
  const record = store.deployments.get(deploymentId);
  const project = record === null ? null : store.projects.get(record.projectId);
  if (record === null || project === null || !admits(c, project)) {
    throw new ApiError("deploymentNotFound", `Deployment "${deploymentId}" does not exist`);
  }
  return { record, project };
}

function readDomain(text: string): string {
  const domain = domainText.safeParse(text);
  if (!domain.success) {
    throw new ApiError("badRequest", `Invalid domain: ${domain.error.issues[0]!.message}`);
  }
  return domain.data;
}

/** Something needs a deployment that has succeeded. */
export function notReady(action: string, { id, status }: DeploymentRecord): ApiError {
  return new ApiError("deploymentNotReady", `Cannot ${action} deployment "${id}": its status is "${status}"`);
}
