import type { DeploymentRecord, Store } from "../store/mod.ts";
import { isSameEnvironment } from "./environment.ts";

/**
 * The environment of a deployment's build command: the project's variables of its context, but not the secret ones, because
 * what a build command prints is logged and what it writes is served.
 */
export function buildVariables(
  store: Pick<Store, "variables">,
  record: DeploymentRecord,
): Record<string, string> {
  return { ...plainVariables(store, record), DENO_DEPLOYMENT_ID: record.id };
}

/** Whether a redeployment can have what was built for the one before: its build command would have seen the same variables. */
export function isBuiltAlike(
  store: Pick<Store, "variables" | "deployments">,
  record: DeploymentRecord,
): boolean {
  if (record.source.buildCommand === undefined) return true;
  const origin = record.redeployOf === null ? null : store.deployments.get(record.redeployOf);
  return origin !== null && isSameEnvironment(plainVariables(store, origin), plainVariables(store, record));
}

function plainVariables(
  { variables }: Pick<Store, "variables">,
  { projectId, context, projectEnv }: DeploymentRecord,
): Record<string, string> {
  const plain = variables.list(projectId).filter(({ name, secret, contexts }) =>
    !secret && contexts.includes(context) && Object.hasOwn(projectEnv, name)
  );
  return Object.fromEntries(plain.map(({ name }) => [name, projectEnv[name]!]));
}
