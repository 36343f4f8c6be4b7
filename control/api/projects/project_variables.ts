import { Hono } from "hono";
import { z } from "zod";
import { environmentProblem, isSameEnvironment } from "../../deployments/environment.ts";
import { redeploy } from "../../deployments/redeploy.ts";
import type { DeploymentContext, Project } from "../../model.ts";
import type { DeploymentRecord, ProjectVariable, VariableChange } from "../../store/mod.ts";
import { deploymentJson } from "../deployments/deployment_json.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { findProject, productionOf } from "./projects.ts";
import { type GivenVariable, variableChanges, variableList } from "./variable_changes.ts";

const query = z.object({
  redeploy: z.enum(["true", "false"], 'must be "true" or "false"').default("true"),
});

/** `/v1/projects/{id}/env_vars`: what the project's deployments get when they are created. */
export function projectVariableRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .get("/projects/:projectId/env_vars", (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      return c.json(store.variables.list(id));
    })
    .patch("/projects/:projectId/env_vars", async (c) => {
      const project = findProject(c, store, c.req.param("projectId"));
      const options = readQuery(c.req.query(), query);
      const changes = await readJson(c.req.raw, variableChanges);
      return c.json(change(deps, project, () => changes, options));
    })
    .put("/projects/:projectId/env_vars", async (c) => {
      const project = findProject(c, store, c.req.param("projectId"));
      const options = readQuery(c.req.query(), query);
      const given = await readJson(c.req.raw, variableList);
      return c.json(change(deps, project, (id) => replacement(store.variables.list(id), given), options));
    });
}

/**
 * Changes a project's variables, and what is to be its production with them: in one step, so that nothing is changed if
 * that is refused.
 */
function change(
  deps: ApiDeps,
  { id, name }: Project,
  decide: (projectId: string) => readonly VariableChange[],
  options: z.infer<typeof query>,
) {
  const { store } = deps;
  return store.database.transaction(() => {
    const project = store.projects.get(id);
    if (project === null) {
      throw new ApiError("projectNotFound", `Project "${name}" was deleted meanwhile`);
    }
    const changes = decide(project.id);
    store.variables.change(project.id, changes);
    const variables = store.variables.read(project.id);
    assertFits(project, variables.production);
    assertFits(project, variables.preview);
    const concerned = changes.some(({ contexts }) => contexts.includes("production"));
    const deployment = options.redeploy === "true" && concerned
      ? renewProduction(deps, project, variables.production)
      : null;
    const own = deployment?.env ?? {};
    return {
      variables: variables.shown,
      deployment: deployment && deploymentJson(deps, deployment, project),
      // What the deployment has of its own goes over what its project has.
      overridden: changes.map(({ name }) => name).filter((name) => Object.hasOwn(own, name)),
    };
  });
}

/**
 * Makes a new deployment of what is production, if its variables are others than the project's now. What is still being
 * built to be production gets them as it is: a new deployment of the old production would be newer, and win.
 *
 * @returns The deployment with which they come into force; `null` = they are, or there is none
 */
function renewProduction(
  deps: ApiDeps,
  project: Project,
  variables: Record<string, string>,
): DeploymentRecord | null {
  const { store } = deps;
  const pending = store.deployments.pendingProduction(project.id);
  for (const id of pending) {
    assertFits(project, { ...variables, ...store.deployments.get(id)!.env });
    store.deployments.renewVariables(id, variables);
  }
  if (pending[0] !== undefined) return store.deployments.get(pending[0]);
  const record = productionOf(store, project);
  if (record === null || isSameEnvironment(record.projectEnv, variables)) return null;
  return redeploy(deps, record, { production: true });
}

function assertFits({ name }: Project, env: Record<string, string>): void {
  const problem = environmentProblem(env);
  if (problem !== null) {
    throw new ApiError("badRequest", `Cannot change the variables of "${name}": ${problem}`);
  }
}

/** What makes of the variables there are those that were given, in which `null` stands for a value as it is. */
function replacement(current: readonly ProjectVariable[], given: readonly GivenVariable[]): VariableChange[] {
  const known = new Set(current.flatMap(keysOf));
  const kept = new Set(given.flatMap(keysOf));
  const unknown = given.find((one) => one.value === null && !keysOf(one).every((key) => known.has(key)));
  if (unknown !== undefined) {
    throw new ApiError(
      "badRequest",
      `Invalid request: "${unknown.name}": its value is null, which keeps the one that it has, but it has none`,
    );
  }
  const removed = current.flatMap(({ name, contexts }) => {
    const gone = contexts.filter((context) => !kept.has(key(name, context)));
    return gone.length === 0 ? [] : [{ name, value: null, contexts: gone }];
  });
  return [...removed, ...given.filter(({ value }) => value !== null)];
}

function keysOf({ name, contexts }: Pick<GivenVariable, "name" | "contexts">): string[] {
  return contexts.map((context) => key(name, context));
}

function key(name: string, context: DeploymentContext): string {
  return `${context} ${name}`;
}
