import assert from "node:assert/strict";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

const BOTH = ["production", "preview"];

/** A project whose production is a deployment of its own variables `own`. */
async function projectWithProduction(api: TestApi, own: Record<string, string> = {}) {
  const projectId = await api.project("shop");
  const production = await api.deployment(projectId, { envVars: own });
  api.succeed(production);
  const path = `/v1/projects/${projectId}/env_vars`;
  const variables = async () => {
    const { body } = await api.call("GET", path);
    return body.map(({ updatedAt: _, ...variable }: { updatedAt: string }) => variable);
  };
  return { projectId, production, path, variables };
}

Deno.test("variables are listed, changed many at once, and removed", async () => {
  await using api = await startTestApi();
  const { path, variables } = await projectWithProduction(api);
  assert.deepEqual(await variables(), []);
  const { status, body } = await api.call("PATCH", path, {
    B: "2",
    A: { value: "1", contexts: ["preview", "preview"] },
    C: { value: "hidden", secret: true },
  });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), ["variables", "deployment", "overridden"]);
  const expected = [
    { name: "A", value: "1", secret: false, contexts: ["preview"] },
    { name: "B", value: "2", secret: false, contexts: BOTH },
    { name: "C", value: null, secret: true, contexts: BOTH },
  ];
  assert.deepEqual(await variables(), expected);
  assert.match(body.variables[0].updatedAt, /^\d{4}-.*Z$/);

  await api.call("PATCH", path, { A: null, C: { value: null, contexts: ["production"] }, UNKNOWN: null });
  assert.deepEqual(await variables(), [expected[1], { ...expected[2], contexts: ["preview"] }]);
});

Deno.test("a change that is wrong somewhere changes nothing, and says what is wrong without any value", async () => {
  await using api = await startTestApi();
  const { path, variables } = await projectWithProduction(api);
  const cases: [unknown, RegExp][] = [
    [[], /^Invalid request: must be an object of variables by name$/],
    [{ GOOD: "s3cret", "1A": "s3cret" }, /"1A": its name must be a letter or _/],
    [{ GOOD: "s3cret", DENO_REGION: "s3cret" }, /"DENO_REGION": its name is reserved/],
    [{ A: 5 }, /"A": its value must be a string$/],
    [{ A: { value: 5 } }, /"A": its value must be a string$/],
    [{ A: {} }, /"A\.value": /],
    [{ A: { value: "s3cret", contexts: [] } }, /"A\.contexts": must name a context$/],
    [{ A: { value: "s3cret", contexts: ["local"] } }, /"A\.contexts\.0": must be "production" or "preview"$/],
    [{ A: { value: "s3cret", secret: "yes" } }, /"A\.secret": /],
    [{ A: "s3cret\0" }, /"A": its value contains NUL$/],
    [
      Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`A${index}`, "s3cret".repeat(2600)])),
      /^Cannot change the variables of "shop": its variables would take \d+ bytes as JSON: at most 131072 are allowed$/,
    ],
    [
      Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`A${index}`, ""])),
      /has more than 1000 variables$/,
    ],
  ];
  for (const [body, message] of cases) {
    const answer = await api.call("PATCH", path, body);
    assert.deepEqual([answer.status, answer.body.code], [400, "badRequest"], JSON.stringify(answer.body));
    assert.match(answer.body.message, message);
    assert(!answer.body.message.includes("s3cret"));
  }
  assert.equal((await api.call("PATCH", `${path}?redeploy=no`, { A: "1" })).status, 400);
  assert.deepEqual(await variables(), []);
});

Deno.test("a change makes a new deployment of what is production, and leaves that as it is", async () => {
  await using api = await startTestApi();
  const { projectId, production, path } = await projectWithProduction(api, { OWN: "1", BOTH: "own" });
  const { deployment, overridden } = (await api.call("PATCH", path, { A: "1", BOTH: "projects" })).body;
  assert.deepEqual(overridden, ["BOTH"]);
  assert.deepEqual([deployment.status, deployment.redeployOf, deployment.context], [
    "pending",
    production,
    "production",
  ]);
  assert.equal(api.submitted.at(-1), deployment.id);
  const record = api.store.deployments.get(deployment.id)!;
  assert.deepEqual([record.projectEnv, record.env], [{ A: "1", BOTH: "projects" }, {
    OWN: "1",
    BOTH: "own",
  }]);
  assert.deepEqual(api.store.deployments.get(production)!.projectEnv, {});
  assert.equal(api.store.projects.get(projectId)!.productionDeploymentId, production);
  api.succeed(deployment.id);
  assert.equal(api.store.projects.get(projectId)!.productionDeploymentId, deployment.id);

  const same = await api.call("PATCH", path, { A: { value: "1", secret: true } });
  assert.equal(same.body.deployment, null);
  const ofPreviews = await api.call("PATCH", path, { A: { value: "2", contexts: ["preview"] } });
  assert.equal(ofPreviews.body.deployment, null);
  const preview = await api.deployment(projectId);
  assert.deepEqual(api.store.deployments.get(preview)!.projectEnv, { A: "2", BOTH: "projects" });
});

Deno.test("what a build command may have written with the old variables is built again, all else is not", async () => {
  await using api = await startTestApi();
  const { projectId, production, path } = await projectWithProduction(api);
  const { source } = api.store.deployments.get(production)!;
  for (const [buildCommand, isBuilt] of [["deno task build", true], [undefined, false]] as const) {
    const { id } = api.store.deployments.create({
      ...{ projectId, source: { ...source, buildCommand }, files: {}, env: {}, description: null },
      ...{ net: null, limits: {}, domains: null, production: true },
    });
    api.succeed(id);
    const { deployment } = (await api.call("PATCH", path, { A: crypto.randomUUID() })).body;
    assert.equal(deployment.redeployOf, id);
    assert.equal(api.store.deployments.snapshot(deployment.id)!.image === null, isBuilt);
    api.store.deployments.delete(deployment.id);
  }
});

Deno.test("a change may be left to the next deployment; the same change again brings it into force", async () => {
  await using api = await startTestApi();
  const { projectId, production, path } = await projectWithProduction(api);
  assert.equal((await api.call("PATCH", `${path}?redeploy=false`, { A: "1" })).body.deployment, null);
  assert.deepEqual(api.store.deployments.ids(projectId), [production]);
  const { deployment } = (await api.call("PATCH", path, { A: "1" })).body;
  assert.deepEqual(api.store.deployments.get(deployment.id)!.projectEnv, { A: "1" });
});

Deno.test("a deployment that does not start with new variables leaves the production to the old one", async () => {
  await using api = await startTestApi();
  const { projectId, production, path } = await projectWithProduction(api);
  const { deployment } = (await api.call("PATCH", path, { A: "1" })).body;
  api.store.deployments.finish(deployment.id, { status: "failed" });
  const { body } = await api.call("GET", `/v1/deployments/${deployment.id}`);
  assert.deepEqual([body.status, body.production], ["failed", false]);
  assert.equal(api.store.projects.get(projectId)!.productionDeploymentId, production);
});

Deno.test("what is still being built to be production gets the variables instead of a newer copy of the old", async () => {
  await using api = await startTestApi();
  const { projectId, production, path } = await projectWithProduction(api);
  const pending = await api.deployment(projectId, { production: true });
  const preview = await api.deployment(projectId);
  const { deployment } = (await api.call("PATCH", path, { A: "1" })).body;
  assert.equal(deployment.id, pending);
  assert.deepEqual(api.store.deployments.ids(projectId), [production, pending, preview]);
  assert.deepEqual(api.store.deployments.get(pending)!.projectEnv, { A: "1" });
  assert.deepEqual(api.store.deployments.get(preview)!.projectEnv, {});
});

Deno.test("a change that cannot be brought into force is not made", async () => {
  await using api = await startTestApi();
  const { projectId, production, path, variables } = await projectWithProduction(api, {
    OWN: "x".repeat(16_000),
  });
  api.submitFails = true;
  assert.equal((await api.call("PATCH", path, { A: "1" })).status, 503);
  api.submitFails = false;
  const most = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`A${index}`, "x".repeat(16_000)]));
  const refused = await api.call("PATCH", path, most);
  assert.match(
    refused.body.message,
    /^Cannot deploy to "shop": its variables would take 144\d{3} bytes as JSON/,
  );
  assert.deepEqual(await variables(), []);
  assert.deepEqual(api.store.deployments.ids(projectId), [production]);
});

Deno.test("the whole list is replaced by what was read of it", async () => {
  await using api = await startTestApi();
  const { path, variables } = await projectWithProduction(api);
  await api.call("PATCH", path, {
    A: { value: "live", contexts: ["production"] },
    B: { value: "hidden", secret: true },
    C: "x",
  });
  const read = (await api.call("GET", path)).body;
  const answer = await api.call("PUT", path, [
    ...read.filter(({ name }: { name: string }) => name !== "C"),
    { name: "A", value: "trial", contexts: ["preview"] },
  ]);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual(await variables(), [
    { name: "A", value: "live", secret: false, contexts: ["production"] },
    { name: "A", value: "trial", secret: false, contexts: ["preview"] },
    { name: "B", value: null, secret: true, contexts: BOTH },
  ]);
  const { projectId } = api.store.deployments.get(answer.body.deployment.id)!;
  assert.equal(api.store.variables.resolve(projectId, "preview").B, "hidden");
  const cases: [unknown, RegExp][] = [
    [{}, /must be a list of variables$/],
    [[{ value: "1" }], /"0\.name": must have a name, a string$/],
    [
      [{ name: "NEW", value: null }],
      /"NEW": its value is null, which keeps the one that it has, but it has none$/,
    ],
    [
      [{ name: "A", value: "1" }, { name: "A", value: "2", contexts: ["preview"] }],
      /"1": is there twice for preview$/,
    ],
  ];
  for (const [body, message] of cases) {
    const { status, body: error } = await api.call("PUT", path, body);
    assert.equal(status, 400);
    assert.match(error.message, message);
  }
});

Deno.test("a project of somebody else has no variables that could be read or changed", async () => {
  await using api = await startTestApi();
  await projectWithProduction(api);
  for (const method of ["GET", "PATCH", "PUT"]) {
    const body = method === "GET" ? undefined : {};
    const { status, body: error } = await api.call(
      method,
      `/v1/projects/${crypto.randomUUID()}/env_vars`,
      body,
    );
    assert.deepEqual([status, error.code], [404, "projectNotFound"]);
  }
});
