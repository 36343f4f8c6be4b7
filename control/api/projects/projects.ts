import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Project } from "../../model.ts";
import { type DeploymentRecord, StoreError } from "../../store/mod.ts";
import { admits, hasRole } from "../access/access.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { findOrganization } from "../access/organizations.ts";
import { listQuery, pageLinks } from "../paging.ts";
import { projectName, randomProjectName } from "./project_name.ts";

/** Random names tried before a creation fails. */
const MAX_NAME_ATTEMPTS = 20;

const body = z.object({
  name: projectName.nullish(),
  description: z.string().max(1000).nullish(),
  untrusted: z.boolean().nullish(),
  accessLog: z.boolean().nullish(),
});
const query = listQuery(["name", "updated_at"], "updated_at");

/** `/v1/organizations/{id}/projects` and `/v1/projects/{id}`. */
export function projectRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .get("/organizations/:organizationId/projects", (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const options = readQuery(c.req.query(), query);
      const listed = store.projects.list(id, options, c.get("principal").projectId);
      c.header("link", pageLinks(c.req.url, options, listed));
      return c.json(listed.items.map(projectJson));
    })
    .post("/organizations/:organizationId/projects", async (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const { name, description, untrusted } = await readJson(c.req.raw, body);
      const settings = { organizationId: id, description: description ?? "", untrusted: untrusted ?? false };
      return c.json(projectJson(createProject(store, name ?? null, settings)));
    })
    .get("/projects/:projectId", (c) => c.json(projectJson(findProject(c, store, c.req.param("projectId")))))
    .patch("/projects/:projectId", async (c) => {
      const { id, name, untrusted: before } = findProject(c, store, c.req.param("projectId"));
      const given = Object.entries(await readJson(c.req.raw, body)).filter(([, value]) => value !== null);
      const isTrusted = before && given.some(([field, value]) => field === "untrusted" && value === false);
      if (isTrusted && !hasRole(c.get("principal"), "admin")) {
        throw new ApiError("forbidden", `Cannot trust project "${name}": this needs the role "admin"`);
      }
      const project = store.projects.update(id, Object.fromEntries(given)) ?? unknownProject(id);
      await deps.routed();
      if (project.untrusted && !before) store.deployments.ids(id).forEach(deps.distrusted);
      return c.json(projectJson(project));
    })
    .delete("/projects/:projectId", async (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      await deleteProject(deps, id);
      return c.body(null, 200);
    });
}

/**
 * The project, if the token may see it.
 *
 * @throws {ApiError} `projectNotFound`.
 */
export function findProject(c: Context<ApiEnv>, store: ApiDeps["store"], projectId: string): Project {
  const project = store.projects.get(projectId);
  if (project === null || !admits(c, project)) unknownProject(projectId);
  return project;
}

/** The deployment that is a project's production, or `null`. */
export function productionOf(
  { deployments }: Pick<ApiDeps["store"], "deployments">,
  { productionDeploymentId }: Project,
): DeploymentRecord | null {
  return productionDeploymentId === null ? null : deployments.get(productionDeploymentId);
}

/** Deletes a project, and ends whatever still goes on for it. */
export async function deleteProject(deps: ApiDeps, id: string): Promise<void> {
  await afterDeletion(deps, deps.store.projects.delete(id) ?? []);
  deps.logs.access.lines.end(id);
}

/** Deletes a deployment, and ends whatever still goes on for it. */
export async function deleteDeployment(deps: ApiDeps, id: string): Promise<void> {
  deps.store.deployments.delete(id);
  await afterDeletion(deps, [id]);
}

/** Ends whatever still goes on for deployments that the store has deleted. */
async function afterDeletion(deps: ApiDeps, deploymentIds: readonly string[]): Promise<void> {
  for (const id of deploymentIds) {
    deps.builds.cancel(id);
    deps.logs.end(id);
  }
  await deps.routed();
  for (const id of deploymentIds) deps.ended(id);
}

/**
 * Makes a project, of a random name if it is given none.
 *
 * @throws {StoreError} `nameTaken`.
 */
export function createProject(
  store: ApiDeps["store"],
  name: string | null,
  settings: Pick<Project, "organizationId" | "description" | "untrusted">,
): Project {
  if (name !== null) return store.projects.create({ ...settings, name });
  for (let attempt = 1;; attempt++) {
    try {
      return store.projects.create({ ...settings, name: randomProjectName() });
    } catch (error) {
      const taken = error instanceof StoreError && error.code === "nameTaken";
      if (!taken || attempt === MAX_NAME_ATTEMPTS) throw error;
    }
  }
}

function unknownProject(projectId: string): never {
  throw new ApiError("projectNotFound", `Project "${projectId}" does not exist`);
}

/** `Project` of the reference document, and whether it is untrusted and has an access log. */
function projectJson({ id, name, description, untrusted, accessLog, createdAt, updatedAt }: Project) {
  return { id, name, description, untrusted, accessLog, createdAt, updatedAt };
}
