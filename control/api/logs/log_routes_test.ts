import assert from "node:assert/strict";
import { LogsBusyError } from "../../logs/mod.ts";
import { openNdjson } from "../testing/open_ndjson.ts";
import { startTestApi } from "../testing/test_api.ts";

const line = (message: string, index = 0) => ({
  time: new Date(Date.UTC(2030, 0, 1, 0, 0, index)).toISOString(),
  level: "info" as const,
  message,
  region: "local",
});

Deno.test("the log of a build is streamed while it runs, and ends with it", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  api.logs.build.append(id, { level: "info", message: "before" });
  await using stream = await openNdjson(api, `/v1/deployments/${id}/build_logs`);
  assert.deepEqual(await stream.next(), { level: "info", message: "before" });
  const next = stream.next();
  api.logs.build.append(id, { level: "error", message: "now" });
  assert.deepEqual(await next, { level: "error", message: "now" });
  api.succeed(id);
  assert.equal(await stream.next(), null);
});

Deno.test("the log of a deployment is followed live by NDJSON without a time range", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  api.logs.app.append(id, [line("past")]);
  await using stream = await openNdjson(api, `/v1/deployments/${id}/app_logs?q=new&level=info,error`);
  api.logs.app.append(id, [line("old"), line("new")]);
  assert.deepEqual(await stream.next(), line("new"));
  await api.call("DELETE", `/v1/deployments/${id}`);
  assert.equal(await stream.next(), null);
});

Deno.test("the past log is paged by cursors, as JSON and as NDJSON", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  const lines = Array.from({ length: 7 }, (_, index) => line(`${index}`, index));
  api.logs.app.append(id, lines);
  for (const accept of ["application/json", "application/x-ndjson"]) {
    const seen: { message: string }[] = [];
    let url: string | undefined =
      `/v1/deployments/${id}/app_logs?since=2030-01-01T00:00:01Z&limit=4&order=timeAsc`;
    while (url !== undefined) {
      const { body, headers } = await api.call("GET", url, undefined, { accept });
      seen.push(...typeof body === "string" ? body.trim().split("\n").map((text) => JSON.parse(text)) : body);
      url = /<([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
    }
    assert.deepEqual(seen, lines.slice(1), accept);
  }
});

Deno.test("limit=all sends every past line in one answer, as NDJSON alone", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  const lines = Array.from({ length: 2500 }, (_, index) => line(`${index}`, index - 1e8));
  api.logs.app.append(id, lines);
  const path = `/v1/deployments/${id}/app_logs?since=2020-01-01T00:00:00Z&limit=all&order=asc`;
  const { body, headers } = await api.call("GET", path, undefined, { accept: "application/x-ndjson" });
  assert.deepEqual(body.trim().split("\n").map((text: string) => JSON.parse(text)), lines);
  assert.equal(headers.get("link"), null);
  const none = await api.call("GET", `${path}&q=none`, undefined, { accept: "application/x-ndjson" });
  assert.deepEqual([none.status, none.body], [200, ""]);
  const json = await api.call("GET", path);
  assert.deepEqual([json.status, json.body.code], [400, "badRequest"]);
  assert.match(json.body.message, /"all" needs "Accept: application\/x-ndjson"/);
});

Deno.test("as JSON and without a time range, the log is its newest lines", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  api.logs.app.append(id, Array.from({ length: 120 }, (_, index) => line(`${index}`, index)));
  const { body } = await api.call("GET", `/v1/deployments/${id}/app_logs`);
  assert.equal(body.length, 100);
  assert.equal(body[0].message, "119");
});

Deno.test("who asks for past lines while too many do is told to try again, at either door", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const id = await api.deployment(projectId);
  api.logs.app.query = api.logs.access.query = () => Promise.reject(new LogsBusyError());
  for (
    const path of [
      `/v1/deployments/${id}/app_logs`,
      `/v1/projects/${projectId}/access_logs`,
      `/api/projects/shop/deployments/${id}/query_logs`,
    ]
  ) {
    const { status, body, headers } = await api.call("GET", path);
    assert.deepEqual([status, body.code, headers.get("retry-after")], [503, "overloaded", "1"], path);
  }
});

Deno.test("wrong parameters of logs are named", async () => {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  for (
    const [query, message] of [
      ["since=yesterday", /"since": must be a time as in RFC 3339/],
      ["level=info,loud", /"level.1"/],
      ["limit=0", /"limit": must be 1 to 10000, or "all"/],
      ["sort=level", /"sort"/],
      ["order=up", /"order"/],
      ["cursor=%00", /"cursor": must be a cursor of an earlier answer/],
    ] as const
  ) {
    const { status, body } = await api.call("GET", `/v1/deployments/${id}/app_logs?${query}`);
    assert.equal(status, 400, query);
    assert.match(body.message, message);
  }
});
