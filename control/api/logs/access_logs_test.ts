import assert from "node:assert/strict";
import type { AccessBatch, AccessEntry } from "../../../runner/mod.ts";
import { openNdjson } from "../testing/open_ndjson.ts";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

const START_MS = Date.UTC(2030, 0, 1);

/** What a runner says of a request. */
function entry(deploymentId: string, changes: Partial<AccessEntry> = {}): AccessEntry {
  return {
    timeMs: START_MS,
    method: "GET",
    host: "shop.example",
    path: "/",
    protocol: "HTTP/1.1",
    status: 200,
    durationMs: 1.25,
    requestBytes: 100,
    responseBytes: 200,
    deploymentId,
    isolateId: "i1",
    errorCode: null,
    requestId: null,
    address: "192.0.2.7",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    complete: true,
    cold: false,
    ...changes,
  };
}

async function append(api: TestApi, entries: AccessEntry[], dropped: AccessBatch["dropped"] = new Map()) {
  await api.logs.access.append({ entries, dropped }, "local");
}

/** A project with one deployment. */
async function deployed(api: TestApi, name: string): Promise<{ projectId: string; deploymentId: string }> {
  const projectId = await api.project(name);
  return { projectId, deploymentId: await api.deployment(projectId) };
}

Deno.test("a project's access log is switched, and its routes say so", async () => {
  await using api = await startTestApi();
  const { projectId, deploymentId } = await deployed(api, "shop");
  const project = `/v1/projects/${projectId}`;
  assert.equal((await api.call("GET", project)).body.accessLog, false);
  assert.equal(api.store.routes(projectId).projects[0]!.accessLog, false);
  api.succeed(deploymentId);
  api.unrouted = 0;
  const { status, body } = await api.call("PATCH", project, { accessLog: true });
  assert.deepEqual([status, body.accessLog, body.name], [200, true, "shop"]);
  assert.equal(api.store.routes(projectId).projects[0]!.accessLog, true);
  assert.equal((await api.call("PATCH", project, { description: "x" })).body.accessLog, true);
  assert.equal((await api.call("PATCH", project, { accessLog: false })).body.accessLog, false);
  assert.equal((await api.call("PATCH", project, { accessLog: "on" })).status, 400);
});

Deno.test("the requests of a project are read by status, deployment and text, and another project's are not", async () => {
  await using api = await startTestApi();
  const { projectId, deploymentId } = await deployed(api, "shop");
  const second = await api.deployment(projectId);
  const other = await deployed(api, "other");
  await append(api, [
    entry(deploymentId, { cold: true }),
    entry(deploymentId, { timeMs: START_MS + 1, path: "/Cart", status: 404 }),
    entry(second, { timeMs: START_MS + 2, status: 502, errorCode: "BOOT_FAILURE", isolateId: null }),
    entry(second, { timeMs: START_MS + 3, status: null, complete: false, path: "/gone" }),
    entry(other.deploymentId, { path: "/other" }),
    entry("unknown", { path: "/unknown" }),
  ]);
  const url = `/v1/projects/${projectId}/access_logs?order=asc`;
  const { body: all } = await api.call("GET", url);
  assert.equal(all.length, 4);
  const { complete: _complete, cold: _cold, timeMs: _timeMs, ...kept } = entry(deploymentId);
  assert.deepEqual(all[0], {
    ...kept,
    time: new Date(START_MS).toISOString(),
    outcome: "complete",
    start: "cold",
    region: "local",
    missing: null,
  });
  assert.deepEqual([all[3].status, all[3].outcome, all[3].start], [null, "aborted", "warm"]);
  const rows: [query: string, paths: string[]][] = [
    ["status=404", ["/Cart"]],
    ["status=4xx,502", ["/Cart", "/"]],
    [`deployment=${second}`, ["/", "/gone"]],
    ["q=get+shop.example/cart", ["/Cart"]],
    ["region=elsewhere", []],
    ["since=2030-01-01T00:00:00.003Z", ["/gone"]],
  ];
  for (const [query, paths] of rows) {
    const { body } = await api.call("GET", `${url}&${query}`);
    assert.deepEqual(body.map(({ path }: { path: string }) => path), paths, query);
  }
  for (const query of ["status=4x", "status=999", "limit=0", "since=now"]) {
    assert.equal((await api.call("GET", `${url}&${query}`)).status, 400, query);
  }
  assert.equal((await api.call("GET", `/v1/projects/${crypto.randomUUID()}/access_logs`)).status, 404);
});

Deno.test("the past requests are paged by cursors, also as NDJSON", async () => {
  await using api = await startTestApi();
  const { projectId, deploymentId } = await deployed(api, "shop");
  const paths = Array.from({ length: 7 }, (_, index) => `/${index}`);
  await append(api, paths.map((path, index) => entry(deploymentId, { path, timeMs: START_MS + index })));
  const seen: string[] = [];
  let url: string | undefined =
    `/v1/projects/${projectId}/access_logs?since=2030-01-01T00:00:00Z&limit=3&order=asc`;
  while (url !== undefined) {
    const { body, headers } = await api.call("GET", url, undefined, { accept: "application/x-ndjson" });
    seen.push(...body.trim().split("\n").map((line: string) => JSON.parse(line).path));
    url = /<([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(seen, paths);
});

Deno.test("requests are followed live, with what is missing, until the project is deleted", async () => {
  await using api = await startTestApi();
  const { projectId, deploymentId } = await deployed(api, "shop");
  await using stream = await openNdjson(api, `/v1/projects/${projectId}/access_logs?status=5xx`);
  const failed = entry(deploymentId, { status: 503, errorCode: "OVERLOADED" });
  await append(api, [entry(deploymentId), failed], new Map([[deploymentId, { count: 17, last: failed }]]));
  const [first, second] = [await stream.next(), await stream.next()];
  assert.deepEqual([first.errorCode, first.missing], ["OVERLOADED", null]);
  assert.deepEqual(second, { ...first, missing: 17 });
  const { body } = await api.call("GET", `/v1/projects/${projectId}/access_logs?status=5xx&order=asc`);
  assert.deepEqual(body, [first, second]);
  assert.equal(api.logs.access.droppedCount, 17);
  await api.call("DELETE", `/v1/projects/${projectId}`);
  assert.equal(await stream.next(), null);
});
