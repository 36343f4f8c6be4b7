import assert from "node:assert/strict";
import type { SubhostedLog } from "../../model.ts";
import { openNdjson } from "../testing/open_ndjson.ts";
import { PLAIN_SUBHOSTER } from "../testing/plain_subhoster.ts";
import { startTestApi } from "../testing/test_api.ts";

const line = (deploymentId: string, message: string, index = 0): SubhostedLog => ({
  time: new Date(Date.UTC(2020, 0, 1, 0, 0, index)).toISOString(),
  level: index % 2 === 0 ? "info" : "error",
  deploymentId,
  message,
  region: "fra",
});

Deno.test("subhosters are shown with the tokens that were refused, to tokens of the machine alone", async () => {
  await using api = await startTestApi();
  assert.deepEqual((await api.call("GET", "/v1/subhosters")).body, []);
  const other = { ...PLAIN_SUBHOSTER, id: "Other.2" };
  api.subhosters.push(PLAIN_SUBHOSTER, other);
  const lastAt = "2030-01-01T00:00:00.000Z";
  api.refusedTokens.push(
    { subhosterId: "acme", reason: "expired", count: 3, lastAt },
    { subhosterId: null, reason: "unknown_subhoster", count: 1, lastAt },
  );
  const acme = { ...PLAIN_SUBHOSTER, refusedTokens: [{ reason: "expired", count: 3, lastAt }] };
  assert.deepEqual((await api.call("GET", "/v1/subhosters")).body, [acme, { ...other, refusedTokens: [] }]);
  assert.deepEqual((await api.call("GET", "/v1/subhosters/acme")).body, acme);
  assert.deepEqual((await api.call("GET", "/v1/refused_tokens")).body, api.refusedTokens);
  const unknown = await api.call("GET", "/v1/subhosters/nobody/logs");
  assert.deepEqual([unknown.status, unknown.body], [404, {
    code: "subhosterNotFound",
    message: 'Subhoster "nobody" is not configured',
  }]);

  const given = { name: "theirs", role: "write", organizationId: api.organizationId };
  const { token } = (await api.call("POST", "/v1/tokens", given)).body;
  for (
    const path of ["/subhosters", "/subhosters/acme", "/subhosters/acme/logs", "/refused_tokens", "/isolates"]
  ) {
    const { status } = await api.call("GET", `/v1${path}`, undefined, { authorization: `Bearer ${token}` });
    assert.equal(status, 403, path);
  }
});

Deno.test("what a subhoster's deployments print is followed, searched and paged", async () => {
  await using api = await startTestApi();
  api.subhosters.push(PLAIN_SUBHOSTER, { ...PLAIN_SUBHOSTER, id: "other" });
  const path = "/v1/subhosters/acme/logs";
  await using stream = await openNdjson(api, `${path}?deployment=d-1&q=new`);
  const lines = ["old", "new", "new of d-2"].map((message, index) =>
    line(index < 2 ? "d-1" : "d-2", message, index)
  );
  api.logs.subhosted.append("acme", lines);
  api.logs.subhosted.append("other", [line("d-1", "new, theirs")]);
  assert.deepEqual(await stream.next(), lines[1]);

  const past = async (query: string) => (await api.call("GET", `${path}?${query}`)).body;
  assert.deepEqual(await past("order=asc"), lines);
  assert.deepEqual(await past("deployment=d-2"), [lines[2]]);
  assert.deepEqual(await past("level=error&q=NEW"), [lines[1]]);
  assert.deepEqual(await past("since=2020-01-01T00:00:01Z&until=2020-01-01T00:00:01Z"), [lines[1]]);
  const page = await api.call("GET", `${path}?limit=2&order=asc`);
  const next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1];
  assert.deepEqual([...page.body, ...(await api.call("GET", next!)).body], lines);
  const ndjson = { accept: "application/x-ndjson" };
  const all = await api.call(
    "GET",
    `${path}?limit=all&order=asc&since=2020-01-01T00:00:00Z`,
    undefined,
    ndjson,
  );
  assert.equal(all.body, lines.map((one) => `${JSON.stringify(one)}\n`).join(""));
  assert.match((await past("level=loud")).message, /"level.0"/);
});
