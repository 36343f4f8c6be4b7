import type { Context } from "hono";
import { admits } from "../access/access.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import type { Project } from "../../model.ts";
import { productionOf } from "../projects/projects.ts";
import type { DeploymentRecord } from "../../store/mod.ts";

/**
 * The project of that name or id, if the token may see it. The client sends whatever its user typed.
 *
 * @throws {ApiError} `projectNotFound`.
 */
export function namedProject(c: Context<ApiEnv>, store: ApiDeps["store"], nameOrId: string): Project {
  // An id is longer than any name.
  const project = store.projects.getByName(nameOrId) ?? store.projects.get(nameOrId);
  if (project === null || !admits(c, project)) {
    throw new ApiError("projectNotFound", `Project "${nameOrId}" does not exist`);
  }
  return project;
}

/**
 * A deployment of a project by its id; `latest` is its production, else its newest.
 *
 * @throws {ApiError} `deploymentNotFound`.
 */
export function namedDeployment(
  store: ApiDeps["store"],
  project: Project,
  idOrLatest: string,
): DeploymentRecord {
  const record = idOrLatest === "latest"
    ? latestDeployment(store, project)
    : store.deployments.get(idOrLatest);
  if (record?.projectId === project.id) return record;
  throw new ApiError(
    "deploymentNotFound",
    idOrLatest === "latest"
      ? `Project "${project.name}" has no deployment`
      : `Deployment "${idOrLatest}" does not exist`,
  );
}

function latestDeployment(store: ApiDeps["store"], project: Project): DeploymentRecord | null {
  const newest = { page: 1, limit: 1, q: null, sort: "created_at", order: "desc" } as const;
  return productionOf(store, project) ?? store.deployments.list(project.id, newest).items[0] ?? null;
}
