import type { DeploymentContext } from "../../model.ts";
import type { ApiDeployment, ApiProject } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";

/** A variable of a project as the API shows it. */
export interface ApiVariable {
  name: string;
  /** `null` = it is secret. */
  value: string | null;
  secret: boolean;
  contexts: DeploymentContext[];
  updatedAt: string;
}

/** What becomes of a variable; `null` as its value removes it. */
export interface ApiVariableChange {
  value: string | null;
  secret?: boolean;
  contexts?: DeploymentContext[];
}

/** What a change of variables is answered with. */
export interface ApiVariablesChanged {
  variables: ApiVariable[];
  /** The production with the new variables, still to be built; `null` = there is nothing to renew. */
  deployment: ApiDeployment | null;
  /** Names that this deployment has of its own, which go over the project's. */
  overridden: string[];
}

/** The variables of a project, by name. */
export async function listVariables(client: ApiClient, project: ApiProject): Promise<ApiVariable[]> {
  return await client.json({ action: `list the variables of "${project.name}"`, path: pathOf(project) });
}

/** All of the changes, by name, or none. */
export async function changeVariables(
  client: ApiClient,
  project: ApiProject,
  { changes, redeploy }: { changes: Record<string, ApiVariableChange>; redeploy: boolean },
): Promise<ApiVariablesChanged> {
  return await client.json({
    action: `change the variables of "${project.name}"`,
    method: "PATCH",
    path: pathOf(project),
    query: { redeploy: String(redeploy) },
    json: changes,
    // Sent again it changes nothing, but its answer would no longer name the deployment.
    idempotent: false,
  });
}

function pathOf({ id }: ApiProject): string {
  return `/v1/projects/${id}/env_vars`;
}
