import assert from "node:assert/strict";
import { startTestApi } from "../testing/test_api.ts";

const file = (content: string) => ({ kind: "file", content });

Deno.test("what differs between two deployments is told, variables by their names alone", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const before = await api.deployment(projectId, {
    assets: { "main.ts": file("1"), "old.ts": file("1"), "same.ts": file("1") },
    envVars: { A: "s3cret", B: "s3cret", C: "same" },
    limits: { memoryMb: 64, maxConcurrency: 5 },
    domains: ["shop.example.com"],
  });
  api.succeed(before);
  await api.call("PATCH", `/v1/projects/${projectId}/env_vars?redeploy=false`, { D: "s3cret" });
  const after = await api.deployment(projectId, {
    entryPointUrl: "new.ts",
    assets: {
      "main.ts": file("2"),
      "new.ts": file("1"),
      "same.ts": file("1"),
      "link.ts": { kind: "symlink", target: "new.ts" },
    },
    envVars: { B: "other", C: "same" },
    limits: { memoryMb: 128 },
    permissions: { net: ["b.example", "a.example"] },
  });
  const { status, body } = await api.call("GET", `/v1/deployments/${before}/diff?to=${after}`);
  assert.equal(status, 200, JSON.stringify(body));
  const { from, to, ...changes } = body;
  assert.deepEqual([from.id, to.id], [before, after]);
  assert.deepEqual(changes, {
    files: {
      added: ["link.ts", "new.ts"],
      removed: ["old.ts"],
      changed: ["main.ts"],
      total: { added: 2, removed: 1, changed: 1 },
    },
    variables: { added: ["D"], removed: ["A"], changed: ["B"] },
    databases: { added: [], removed: [], changed: [] },
    attached: { from: ["shop.example.com"], to: [] },
    limits: { memoryMb: { from: 64, to: 128 }, maxConcurrency: { from: 5, to: null } },
    net: { from: null, to: ["a.example", "b.example"] },
    entrypoint: { from: "main.ts", to: "new.ts" },
  });
  assert(!JSON.stringify(body).includes("s3cret"));
});

Deno.test("of many paths the first are named and all are counted", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const before = await api.deployment(projectId);
  const many = Object.fromEntries(
    Array.from({ length: 150 }, (_, index) => [`${1000 + index}.ts`, file("1")]),
  );
  const after = await api.deployment(projectId, { assets: { "main.ts": file("1"), ...many } });
  const { files } = (await api.call("GET", `/v1/deployments/${before}/diff?to=${after}`)).body;
  assert.deepEqual([files.added.length, files.added[99], files.total], [100, "1099.ts", {
    added: 150,
    removed: 0,
    changed: 0,
  }]);
});

Deno.test("only deployments of one project are compared, and only those that may be seen", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  const foreign = await api.deployment(await api.project("store"));
  const codes = async (from: string, query: string) => {
    const { status, body } = await api.call("GET", `/v1/deployments/${from}/diff${query}`);
    return [status, body.code];
  };
  assert.deepEqual(await codes(id, `?to=${foreign}`), [400, "badRequest"]);
  assert.deepEqual(await codes(id, ""), [400, "badRequest"]);
  assert.deepEqual(await codes(id, "?to=aaaaaaaaaaaa"), [404, "deploymentNotFound"]);
  assert.deepEqual(await codes("aaaaaaaaaaaa", `?to=${id}`), [404, "deploymentNotFound"]);
});
