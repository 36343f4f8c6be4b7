import type { ApiDeps } from "../deps.ts";
import { ApiError } from "../errors.ts";
import type { Project } from "../../model.ts";
import type { DeploymentRecord } from "../../store/mod.ts";
import { buildErrors } from "./build_errors.ts";

/**
 * Waits until a deployment is built and its routes are in force.
 *
 * @throws {ApiError} `deploymentFailed`, with the last errors of its log; `deploymentNotFound`: deleted meanwhile;
 *   `overloaded`: this server answers nobody any more, or the client is gone, and the build goes on.
 */
export async function buildOutcome(
  { store, logs, routed }: Pick<ApiDeps, "store" | "logs" | "routed">,
  { id }: Pick<DeploymentRecord, "id">,
  signal: AbortSignal,
): Promise<{ built: DeploymentRecord; project: Project }> {
  const errors = await buildErrors(logs.build.follow(id, signal));
  await routed();
  const built = store.deployments.get(id);
  const project = built && store.projects.get(built.projectId);
  if (!built || !project) {
    throw new ApiError("deploymentNotFound", `Deployment "${id}" was deleted meanwhile`);
  }
  if (built.status === "failed") throw new ApiError("deploymentFailed", errors);
  if (built.status === "pending") {
    throw new ApiError(
      "overloaded",
      `Cannot wait for deployment "${id}" any longer: it is built nevertheless`,
    );
  }
  return { built, project };
}
