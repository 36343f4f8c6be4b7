/** What operations of the reference document answer, beyond the shapes that the walk through all of it tries. */
import assert from "node:assert/strict";
import { conforms, exampleOf, problems } from "./testing/contract.ts";
import { startTestApi } from "./testing/test_api.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

Deno.test("the check finds what is wrong with a shape", () => {
  const schema = { $ref: "#/components/schemas/Deployment" };
  const good = {
    id: "abcde12vwxyz",
    projectId: UNKNOWN,
    status: "success",
    databases: {},
    createdAt: "2021-08-01T00:00:00Z",
    updatedAt: "2021-08-01T00:00:00Z",
  };
  assert.deepEqual(problems(schema, good), []);
  for (const bad of [{ id: 1 }, { status: "done" }, { createdAt: "today" }, { domains: [1] }, { id: null }]) {
    assert.notDeepEqual(problems(schema, { ...good, ...bad }), [], JSON.stringify(bad));
  }
  assert.deepEqual(problems(schema, {}).length, 6);
});

Deno.test("null changes nothing, and a method may be in lower case, as the official client sends it", async () => {
  await using api = await startTestApi();
  const projects = `/v1/organizations/${api.organizationId}/projects`;
  const { body: { id } } = await api.call("POST", projects, { name: "shop", description: "d" });
  const renamed = await api.call("patch", `/v1/projects/${id}`, { name: "store", description: null });
  conforms("patch", "/projects/{projectId}", renamed);
  assert.deepEqual([renamed.body.name, renamed.body.description], ["store", "d"]);
  const databases = `/v1/organizations/${api.organizationId}/databases`;
  const database = (await api.call("POST", databases, { description: "d" })).body;
  const same = await api.call("PATCH", `/v1/databases/${database.id}`, { description: null });
  assert.deepEqual(same.body, database);
  const changed = await api.call("PATCH", `/v1/databases/${database.id}`, { description: "e" });
  assert.equal(changed.body.description, "e");
  assert.deepEqual((await api.call("GET", `${databases}?q=${database.id.slice(0, 8)}`)).body, [changed.body]);
  assert.deepEqual((await api.call("GET", `${databases}?q=zz`)).body, []);
});

Deno.test("analytics are as the document says", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const used = {
    requests: 3,
    cpuMs: 1500,
    uptimeMs: 1000,
    ingressBytes: 10,
    egressBytes: 20,
    memoryBytes: 2 ** 26,
  };
  api.usage.add(await api.deployment(projectId), used);
  const { fields, values } = exampleOf("Analytics") as { fields: unknown[]; values: unknown[][] };
  const scopes = [["/projects/{projectId}", projectId], [
    "/organizations/{organizationId}",
    api.organizationId,
  ]];
  for (const [scope = "", id = ""] of scopes) {
    const path = `${scope}/analytics`;
    const call = (query: string, of = id) =>
      api.call("GET", `/v1${path.replace(/\{\w+\}/, of)}?${query}`.replaceAll("+", "%2B"));
    const day = await call("");
    conforms("get", path, day);
    assert.deepEqual(day.body.fields, fields);
    assert.equal(day.body.values.length, 96);
    assert.ok(day.body.values.every((row: unknown[]) => row.length === values[0]!.length));
    const busy = day.body.values.filter((row: unknown[]) => row[1] !== 0);
    assert.deepEqual(busy.map((row: unknown[]) => row.slice(1)), [[
      3,
      1.5,
      1,
      2 ** 26,
      10,
      20,
      0,
      0,
      0,
      0,
      0,
    ]]);

    const past = await call("since=2026-08-01T02:00:00+02:00&until=2026-08-01T00:30:00Z");
    conforms("get", path, past);
    assert.deepEqual(past.body.values.map(([time]: string[]) => time), [
      "2026-08-01T00:00:00.000Z",
      "2026-08-01T00:15:00.000Z",
    ]);
    conforms("get", path, await call("", UNKNOWN));
    for (
      const query of [
        "since=yesterday",
        "until=2026-08-01",
        "since=2030-01-01T00:00:00Z&until=2029-01-01T00:00:00Z",
      ]
    ) {
      const refused = await call(query);
      assert.deepEqual([refused.status, refused.body.code], [400, "badRequest"]);
      assert.match(refused.body.message, /^Invalid request: "(since|until)"/);
      conforms("get", path, refused);
    }
  }
  const organization = `/v1/organizations/${api.organizationId}/analytics`;
  const twoDays = "since=2026-08-01T00:00:00Z&until=2026-08-02T00:00:01Z";
  const refused = await api.call("GET", `${organization}?${twoDays}`);
  assert.match(refused.body.message, /more than 24 hours apart/);
  conforms("get", "/organizations/{organizationId}/analytics", refused);
  const project = await api.call("GET", `/v1/projects/${projectId}/analytics?${twoDays}`);
  assert.equal(project.status, 200);
});

Deno.test("of projects that are made with one name at once there is one", async () => {
  await using api = await startTestApi();
  const projects = `/v1/organizations/${api.organizationId}/projects`;
  const calls = Array.from({ length: 10 }, () => api.call("POST", projects, { name: "shop" }));
  const codes = (await Promise.all(calls)).map(({ body }) => body.code ?? "made");
  assert.deepEqual(codes.toSorted(), ["made", ...Array(9).fill("projectNameTaken")]);
});
