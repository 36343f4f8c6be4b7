import { ApiError } from "../api/errors.ts";
import type { Manifest, Project } from "../model.ts";
import type { DeploymentRecord, NewDeployment, Store } from "../store/mod.ts";
import { environmentProblem, isSameEnvironment } from "./environment.ts";

/** What {@linkcode submitDeployment} needs from the rest of the server. */
export interface SubmitDeps {
  store: Store;
  builds: {
    /** Takes a pending deployment in for its build. Throws when too many wait. */
    submit(deploymentId: string): void;
  };
  /** Whether each isolate has a process of its own; those of untrusted projects need one. */
  isolation: "process" | "shared";
}

/** A deployment to make, checked: its contents are stored, its domains may be its project's. */
export type Submission = Omit<NewDeployment, "projectId" | "context" | "projectEnv">;

/**
 * Whether a project may have deployments on this server.
 *
 * @throws {ApiError} `projectUntrusted`.
 */
export function assertDeployable(project: Project, { isolation }: Pick<SubmitDeps, "isolation">): void {
  if (!project.untrusted || isolation === "process") return;
  throw new ApiError(
    "projectUntrusted",
    `Cannot deploy to "${project.name}": the project is untrusted, and isolates of this server share a process ` +
      "(ISOLA_ISOLATION=shared). Deploy it on a server with ISOLA_ISOLATION=process",
  );
}

/**
 * Records a deployment of a project, whatever it comes from, and hands it to the build.
 *
 * @throws {ApiError} `projectNotFound`: deleted meanwhile; `projectUntrusted`; `badRequest`: its variables and its
 * project's are too much together; `overloaded`: too many builds wait.
 */
export function submitDeployment(
  deps: SubmitDeps,
  projectId: string,
  submission: Submission,
): DeploymentRecord {
  const { store, builds } = deps;
  const project = store.projects.get(projectId);
  if (project === null) throw new ApiError("projectNotFound", `Project "${projectId}" was deleted meanwhile`);
  assertDeployable(project, deps);
  const isProduction = submission.production ?? project.productionDeploymentId === null;
  const context = isProduction ? "production" : "preview";
  const projectEnv = store.variables.resolve(projectId, context);
  const problem = environmentProblem({ ...projectEnv, ...submission.env });
  if (problem !== null) throw new ApiError("badRequest", `Cannot deploy to "${project.name}": ${problem}`);
  const files = submission.files ?? filesToBuild(store, submission, projectEnv);
  const record = store.deployments.create({ ...submission, files, projectId, context, projectEnv });
  try {
    builds.submit(record.id);
  } catch (error) {
    store.deployments.delete(record.id);
    throw new ApiError("overloaded", `Cannot build the deployment: ${(error as Error).message}`);
  }
  return record;
}

/** Those of the origin, if its build command may write something else with these variables; `null` = its image will do. */
function filesToBuild(
  { deployments }: Store,
  { redeployOf, source }: Submission,
  projectEnv: Record<string, string>,
): Manifest | null {
  if (source.buildCommand === undefined || redeployOf === undefined || redeployOf === null) return null;
  const origin = deployments.get(redeployOf);
  if (origin === null || isSameEnvironment(origin.projectEnv, projectEnv)) return null;
  return deployments.snapshot(redeployOf)?.files ?? null;
}
