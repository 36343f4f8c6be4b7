import assert from "node:assert/strict";
import { startTestApi, type TestApi } from "../api/testing/test_api.ts";
import type { DeploymentRecord } from "../store/mod.ts";
import { buildVariables, isBuiltAlike } from "./build_variables.ts";

async function withBuildCommand(
  use: (api: TestApi, record: DeploymentRecord) => Promise<void>,
): Promise<void> {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  await api.call("PATCH", `/v1/projects/${projectId}/env_vars?redeploy=false`, {
    THEME: "dark",
    LIVE: { value: "yes", contexts: ["production"] },
    KEY: { value: "hidden", secret: true },
  });
  const id = await api.deployment(projectId, { buildCommand: "deno task build", envVars: { OWN: "1" } });
  api.succeed(id);
  await use(api, api.store.deployments.get(id)!);
}

Deno.test("a build command sees the project's variables of its context, but no secrets", () =>
  withBuildCommand(({ store }, record) => {
    assert.equal(record.projectEnv.KEY, "hidden");
    assert.deepEqual(buildVariables(store, record), {
      THEME: "dark",
      LIVE: "yes",
      DENO_DEPLOYMENT_ID: record.id,
    });
    const projectEnv = store.variables.resolve(record.projectId, "preview");
    const preview = { ...record, context: "preview" as const, projectEnv };
    assert.deepEqual(buildVariables(store, preview), { THEME: "dark", DENO_DEPLOYMENT_ID: record.id });
    return Promise.resolve();
  }));

Deno.test("what was built is used again only if the build command would see the same variables", () =>
  withBuildCommand(async (api, origin) => {
    const redeployed = async (variables: Record<string, unknown>) => {
      await api.call("PATCH", `/v1/projects/${origin.projectId}/env_vars?redeploy=false`, variables);
      const { body } = await api.call("POST", `/v1/deployments/${origin.id}/redeploy`, { production: true });
      return api.store.deployments.get(body.id)!;
    };
    assert.equal(isBuiltAlike(api.store, await redeployed({ KEY: "another" })), true);
    const changed = await redeployed({ THEME: "light" });
    assert.equal(isBuiltAlike(api.store, changed), false);
    const withoutCommand = { ...changed, source: { ...changed.source, buildCommand: undefined } };
    assert.equal(isBuiltAlike(api.store, withoutCommand), true);
    api.store.deployments.delete(origin.id);
    assert.equal(isBuiltAlike(api.store, changed), false);
  }));
