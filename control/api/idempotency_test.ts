import assert from "node:assert/strict";
import { startTestApi, type TestApi } from "./testing/test_api.ts";

const BODY = { entryPointUrl: "main.ts", assets: { "main.ts": { kind: "file", content: "1" } }, envVars: {} };

function create(api: TestApi, projectId: string, key: string, body: unknown = BODY) {
  return api.call("POST", `/v1/projects/${projectId}/deployments`, body, { "idempotency-key": key });
}

Deno.test("a creation that is sent again with its key is the same one", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const first = await create(api, projectId, "a");
  const [again, other] = [await create(api, projectId, "a"), await create(api, projectId, "b")];
  assert.deepEqual(again.body, first.body);
  assert.equal(again.headers.get("idempotency-replayed"), "true");
  assert.notEqual(other.body.id, first.body.id);
  assert.equal(api.submitted.length, 2);

  const projects = `/v1/organizations/${api.organizationId}/projects`;
  const named = () => api.call("POST", projects, { name: "store" }, { "idempotency-key": "a" });
  const project = await named();
  assert.equal(project.status, 200);
  assert.deepEqual((await named()).body, project.body);
});

Deno.test("creations with the same key at the same time are one", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const answers = await Promise.all(Array.from({ length: 8 }, () => create(api, projectId, "a")));
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  assert.equal(api.submitted.length, 1);
});

Deno.test("what was refused is done anew, and a key has a length", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const refused = await Promise.all([
    create(api, projectId, "a", { ...BODY, assets: {} }),
    create(api, projectId, "a", { ...BODY, assets: {} }),
  ]);
  assert.deepEqual(refused.map(({ status }) => status), [400, 400]);
  assert.equal((await create(api, projectId, "a")).status, 200);
  assert.match((await create(api, projectId, "x".repeat(256))).body.message, /longer than 255 characters/);
});

Deno.test("the oldest answer makes room, and calls that create nothing are not kept", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const { body: { id } } = await create(api, projectId, "first");
  const path = `/v1/deployments/${id}/promote`;
  api.succeed(id);
  for (const _ of [1, 2]) {
    const promoted = await api.call("POST", path, undefined, { "idempotency-key": "p" });
    assert.deepEqual([promoted.status, promoted.headers.has("idempotency-replayed")], [200, false]);
  }
  const databases = `/v1/organizations/${api.organizationId}/databases`;
  for (let at = 0; at < 2000; at += 100) {
    await Promise.all(
      Array.from(
        { length: 100 },
        (_, offset) => api.call("POST", databases, {}, { "idempotency-key": String(at + offset) }),
      ),
    );
  }
  assert.notEqual((await create(api, projectId, "first")).body.id, id);
});
