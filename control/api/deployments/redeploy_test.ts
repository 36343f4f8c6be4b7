import assert from "node:assert/strict";
import { type Answer, startTestApi, type TestApi } from "../testing/test_api.ts";

async function startBench() {
  const api = await startTestApi();
  const projectId = await api.project("shop");
  const redeploy = (id: string, body: unknown = {}): Promise<Answer> =>
    api.call("POST", `/v1/deployments/${id}/redeploy`, body);
  const succeeded = async (changes: Record<string, unknown> = {}) => {
    const id = await api.deployment(projectId, changes);
    api.succeed(id);
    return id;
  };
  return { api, projectId, redeploy, succeeded, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

async function database(api: TestApi): Promise<string> {
  return (await api.call("POST", `/v1/organizations/${api.organizationId}/databases`, {})).body.id;
}

Deno.test("a redeployment is a new deployment of the same snapshot, which is not built again", async () => {
  await using bench = await startBench();
  const { api, redeploy, succeeded } = bench;
  const id = await succeeded({ description: "first", limits: { memoryMb: 128 } });
  const { status, body } = await redeploy(id);
  assert.equal(status, 200, JSON.stringify(body));
  assert.notEqual(body.id, id);
  assert.deepEqual([body.status, body.description, body.redeployOf], ["pending", "first", id]);
  assert.equal(api.submitted.at(-1), body.id);
  const { deployments } = api.store;
  assert.deepEqual(deployments.snapshot(body.id), deployments.snapshot(id));
  assert.deepEqual(deployments.get(body.id)!.limits, { memoryMb: 128 });

  // What both share stays while one of them is there.
  const { files } = deployments.snapshot(id)!;
  assert.equal((await api.call("DELETE", `/v1/deployments/${id}`)).status, 200);
  await api.store.blobs.collect({ graceMs: -1000 });
  for (const entry of Object.values(files)) {
    assert.ok(entry.kind === "file" && api.store.blobs.has(entry.sha256));
  }
  api.succeed(body.id);
  assert.equal((await redeploy(body.id)).status, 200);
});

Deno.test("what a redeployment says is merged into what there was, and null removes", async () => {
  await using bench = await startBench();
  const { api, redeploy, succeeded } = bench;
  const [first, second] = [await database(api), await database(api)];
  const id = await succeeded({
    envVars: { A: "alice", B: "bob", C: "charlie" },
    databases: { default: first },
    limits: { memoryMb: 128, maxConcurrency: 5 },
    requestTimeout: 1000,
    permissions: { net: ["a.example"] },
  });
  const changed = (await redeploy(id, {
    envVars: { A: "alice2", B: null, D: "david" },
    databases: { default: second },
    description: "new",
    limits: { maxConcurrency: 6 },
    requestTimeout: 0,
    permissions: { net: [] },
    production: true,
    unknownField: 1,
  })).body;
  const record = api.store.deployments.get(changed.id)!;
  assert.deepEqual(record.env, { A: "alice2", C: "charlie", D: "david" });
  assert.deepEqual(record.limits, { memoryMb: 128, maxConcurrency: 6, requestTimeoutMs: 0 });
  assert.deepEqual([changed.databases, changed.description], [{ default: second }, "new"]);
  assert.deepEqual([changed.requestTimeout, changed.permissions], [null, { net: [] }]);
  assert.deepEqual([record.production, record.context], [true, "production"]);

  const aliased = (await redeploy(id, {
    env_vars: { A: null },
    databases: { default: null },
    description: null,
    permissions: { net: ["*"] },
  })).body;
  const { env, context } = api.store.deployments.get(aliased.id)!;
  assert.deepEqual([env, context], [{ B: "bob", C: "charlie" }, "preview"]);
  assert.deepEqual([aliased.databases, aliased.description, aliased.permissions], [{}, "", null]);

  const same = (await redeploy(id, { envVars: null, databases: null, permissions: {}, limits: null })).body;
  assert.deepEqual(api.store.deployments.get(same.id)!.env, { A: "alice", B: "bob", C: "charlie" });
  assert.deepEqual([same.databases, same.requestTimeout], [{ default: first }, 1000]);
  assert.deepEqual(same.permissions, { net: ["a.example"] });
});

Deno.test("a redeployment is refused with what is wrong, and of what has not succeeded", async () => {
  await using bench = await startBench();
  const { api, projectId, redeploy, succeeded } = bench;
  const id = await succeeded();
  const many = (from: number) =>
    Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`V${from + at}`, ""]));
  const full = await succeeded({ envVars: many(0) });
  const cases: [id: string, body: unknown, message: RegExp][] = [
    [id, { envVars: { DENO_X: "1" } }, /"envVars.DENO_X": its name is reserved/],
    [id, { env_vars: { A: 1 } }, /"env_vars.A": its value must be a string/],
    [id, { databases: { other: crypto.randomUUID() } }, /"databases": can name "default" only/],
    [id, { databases: { default: crypto.randomUUID() } }, /"databases.default": ".*" does not exist/],
    [id, { domains: ["x.isola.test"] }, /"domains.0": must not be under/],
    [full, { envVars: many(600) }, /with more than 1000 variables/],
  ];
  for (const [of, body, message] of cases) {
    const refused = await redeploy(of, body);
    assert.deepEqual([refused.status, refused.body.code], [400, "badRequest"], JSON.stringify(body));
    assert.match(refused.body.message, message);
  }
  const pending = await api.deployment(projectId);
  const early = await redeploy(pending);
  assert.deepEqual([early.status, early.body.code], [400, "deploymentNotReady"]);
  assert.match(early.body.message, /status is "pending", wait until its build has ended$/);
  api.store.deployments.finish(pending, { status: "failed" });
  assert.match((await redeploy(pending)).body.message, /status is "failed", its build log says why$/);
});

Deno.test("a redeployment takes over the names that still lead to the old deployment", async () => {
  await using bench = await startBench();
  const { api, redeploy, succeeded } = bench;
  const id = await succeeded({
    domains: ["a.example.com", "b.example.com", "{deployment.id}.example.com"],
  });
  const other = await succeeded({ domains: ["b.example.com"] });
  const domains = async (of: string) => (await api.call("GET", `/v1/deployments/${of}`)).body.domains;
  const { id: next } = (await redeploy(id)).body;
  assert.deepEqual(await domains(id), [`${id}.example.com`, "a.example.com"].toSorted());
  api.succeed(next);
  assert.deepEqual((await domains(next)).toSorted(), [`${next}.example.com`, "a.example.com"].toSorted());
  assert.deepEqual([await domains(id), await domains(other)], [[`${id}.example.com`], ["b.example.com"]]);
  const named = (await redeploy(next, { domains: ["c.example.com"] })).body.id;
  api.succeed(named);
  assert.deepEqual(await domains(named), ["c.example.com"]);
});

Deno.test("names below a wildcard that an organization has verified are its own", async () => {
  await using bench = await startBench();
  const { api, projectId, succeeded } = bench;
  const { id: foreign } = api.store.organizations.create("other");
  for (
    const [organizationId, domain] of [[api.organizationId, "*.mine.example"], [foreign, "*.theirs.example"]]
  ) {
    const registered = api.store.domains.create({ organizationId: organizationId!, domain: domain! });
    api.store.domains.markValidated(registered.id);
  }
  const id = await succeeded({ domains: ["{deployment.id}.mine.example", "{project.name}.mine.example"] });
  assert.deepEqual(
    api.store.routes().hostnames.map(({ hostname }) => hostname).toSorted(),
    [`${id}.mine.example`, "shop.mine.example"].toSorted(),
  );
  const refused = await api.call("POST", `/v1/projects/${projectId}/deployments`, {
    entryPointUrl: "main.ts",
    assets: { "main.ts": { kind: "file", content: "1" } },
    envVars: {},
    domains: ["{deployment.id}.theirs.example"],
  });
  assert.deepEqual([refused.status, refused.body.code], [400, "domainTaken"]);
  const attached = await api.call("PUT", `/v1/deployments/${id}/domains/shop.theirs.example`);
  assert.equal(attached.body.code, "domainTaken");
});
