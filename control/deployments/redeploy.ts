import { ApiError } from "../api/errors.ts";
import { MAX_VARIABLES } from "../api/projects/variables.ts";
import { type DeploymentRecord, resolveTemplate, type Store } from "../store/mod.ts";
import { type Submission, submitDeployment, type SubmitDeps } from "./submit.ts";

/** What a redeployment changes, checked. What is absent stays as it is. */
export interface RedeployChanges {
  /** Over the variables that it has of its own; `null` removes one. */
  env?: Record<string, string | null>;
  /** Over the databases that it has; `null` removes one. */
  databases?: Record<string, string | null>;
  description?: string;
  /** Over the limits that were asked for. */
  limits?: Submission["limits"];
  /** `null` = all public hosts. */
  net?: string[] | null;
  domains?: string[];
  production?: boolean;
}

/**
 * Records a deployment of the same snapshot with another configuration, and hands it to the build, which only starts it.
 * It takes over the names that it has from its creation, as far as they still lead to the old one.
 *
 * @throws {ApiError} `deploymentNotReady`: the old one has not succeeded; `deploymentNotFound`: it was deleted meanwhile;
 * `badRequest`: too many variables; else as {@linkcode submitDeployment}.
 */
export function redeploy(
  deps: SubmitDeps,
  { id }: Pick<DeploymentRecord, "id">,
  changes: RedeployChanges,
): DeploymentRecord {
  const origin = deps.store.deployments.get(id);
  if (origin === null) {
    throw new ApiError("deploymentNotFound", `Cannot redeploy deployment "${id}": it was deleted meanwhile`);
  }
  if (origin.status !== "success") {
    const todo = origin.status === "pending" ? "wait until its build has ended" : "its build log says why";
    throw new ApiError(
      "deploymentNotReady",
      `Cannot redeploy deployment "${id}": its status is "${origin.status}", ${todo}`,
    );
  }
  const env = merged(origin.env, changes.env);
  if (Object.keys(env).length > MAX_VARIABLES) {
    throw new ApiError(
      "badRequest",
      `Cannot redeploy deployment "${id}" with more than ${MAX_VARIABLES} variables`,
    );
  }
  return submitDeployment(deps, origin.projectId, {
    description: changes.description ?? origin.description,
    source: origin.source,
    files: null,
    redeployOf: id,
    git: origin.git,
    env,
    databases: merged(origin.databases, changes.databases),
    net: changes.net === undefined ? origin.net : changes.net,
    limits: { ...origin.limits, ...changes.limits },
    domains: changes.domains ?? keptDomains(deps.store, origin),
    production: changes.production ?? null,
  });
}

/** What an object becomes when another is merged into it, of which `null` removes. */
function merged(
  before: Record<string, string>,
  changes: Record<string, string | null> = {},
): Record<string, string> {
  const entries = Object.entries({ ...before, ...changes });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null));
}

function keptDomains(store: Store, { id, projectId, domains }: DeploymentRecord): string[] | null {
  const projectName = store.projects.get(projectId)?.name ?? "";
  const isKept = (template: string) => {
    if (template.includes("{deployment.id}")) return true;
    const hostname = resolveTemplate(template, { projectName, deploymentId: id });
    return store.hostnames.target(hostname)?.deploymentId === id;
  };
  return domains?.filter(isKept) ?? null;
}
