import assert from "node:assert/strict";
import { startTestApi, type TestApi } from "../testing/test_api.ts";
import { DeployctlClient, DeployctlError, type Json, walk } from "./testing/deployctl_client.ts";

const APP = { "main.ts": "Deno.serve(() => new Response())", "static/a.txt": "a", "static/same.txt": "a" };

function clientOf(api: TestApi): DeployctlClient {
  return new DeployctlClient(api.url, api.token);
}

/** Ends each build as it comes. */
async function building<Result>(
  api: TestApi,
  end: (id: string) => void,
  work: Promise<Result>,
): Promise<Result> {
  const seen = api.submitted.length;
  while (api.submitted.length === seen) await new Promise((resolve) => setTimeout(resolve, 5));
  end(api.submitted.at(-1)!);
  return await work;
}

function fail(api: TestApi, message: string): (id: string) => void {
  return (id) => {
    api.logs.build.append(id, { level: "info", message: "Bundling" });
    api.logs.build.append(id, { level: "error", message });
    api.store.deployments.finish(id, { status: "failed" });
    api.logs.build.end(id);
  };
}

async function refusal(call: Promise<unknown>): Promise<[string, string]> {
  const error = await call.then(() => assert.fail("It was not refused"), (error) => error);
  assert.ok(error instanceof DeployctlError, `${error}`);
  assert.match(error.xDenoRay!, /./);
  return [error.code, error.message];
}

Deno.test("a project is made, found by name and id, renamed and deleted", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const made = await client.json("/projects/", { method: "POST", body: { name: "shop" } });
  const byName = await client.json("/projects/shop");
  assert.deepEqual(await client.json(`/projects/${made.id}`), byName);
  assert.deepEqual(
    [byName.name, byName.hasProductionDeployment, byName.productionDeployment, byName.envVars],
    [
      "shop",
      false,
      null,
      [],
    ],
  );
  assert.deepEqual(byName.organization, { id: api.organizationId, name: "default", members: [] });
  await client.json("/projects/shop", { method: "PATCH", body: { name: "store" } });
  assert.deepEqual((await refusal(client.json("/projects/shop")))[0], "projectNotFound");
  assert.equal((await client.json(`/projects/${made.id}`)).name, "store");
  assert.equal(await client.json("/projects/store", { method: "DELETE" }), null);
  assert.deepEqual(
    (await refusal(client.json("/projects/store", { method: "DELETE" })))[0],
    "projectNotFound",
  );
});

Deno.test("a name that cannot be had is refused with the codes at which the client tries another", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const create = (body: unknown) => client.json("/projects/", { method: "POST", body });
  await create({ name: "shop" });
  assert.equal((await refusal(create({ name: "shop" })))[0], "projectNameInUse");
  assert.equal((await refusal(create({ name: "No Name" })))[0], "slugInvalid");
  assert.match((await create({})).name, /^[a-z]+-[a-z]+-\d\d$/);
  assert.equal((await refusal(create({ organizationId: crypto.randomUUID() })))[0], "organizationNotFound");
});

Deno.test("an organization that is named with a project is made if there is none", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const { id } = await client.json("/organizations", { method: "POST", body: { name: "friends" } });
  const made = await client.json("/projects", { method: "POST", body: { name: "shop", organizationId: id } });
  assert.equal(made.organization.name, "friends");
  assert.deepEqual((await client.json("/organizations")).map(({ name }: Json) => name), [
    "default",
    "friends",
  ]);
  const again = client.json("/organizations", { method: "POST", body: { name: "friends" } });
  assert.equal((await refusal(again))[0], "organizationNameTaken");
});

Deno.test("organizations are listed, and each with its projects", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  await client.json("/projects", { method: "POST", body: { name: "shop" } });
  const [organization] = await client.json("/organizations");
  assert.deepEqual(organization, { id: api.organizationId, name: "default", members: [] });
  const { projects } = await client.json(`/organizations/${organization.id}`);
  assert.deepEqual(projects.map(({ name }: Json) => name), ["shop"]);
});

Deno.test("a deployment sends what the server lacks, tells how far it is, and ends with its domains", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const id = await api.project("shop");
  const files = { ...APP, "static/link": "link:a.txt" };
  const first = await building(
    api,
    (id) => api.succeed(id),
    client.deploy("shop", files, { production: true }),
  );
  assert.equal(first.sent, 2);
  const [load, complete, success] = first.events;
  assert.deepEqual(load, { type: "load", url: "file:///src/main.ts", seen: 1, total: 1 });
  assert.deepEqual(complete, { type: "uploadComplete" });
  assert.equal(success.type, "success");
  assert.deepEqual(success.domainMappings.map(({ domain }: Json) => domain).toSorted(), [
    `shop-${success.id}.isola.test:8000`,
    "shop.isola.test:8000",
  ]);
  const { files: stored } = api.store.deployments.snapshot(success.id)!;
  assert.deepEqual(Object.keys(stored).toSorted(), [...Object.keys(APP), "static/link"].toSorted());
  assert.deepEqual(stored["static/link"], { kind: "symlink", target: "a.txt" });

  const again = await building(api, (id) => api.succeed(id), client.deploy(id, { ...files, "b.txt": "b" }));
  assert.equal(again.sent, 1);
  assert.equal(again.events.at(-1).domainMappings.length, 1);
  assert.equal((await client.json("/projects/shop")).productionDeployment.deploymentId, success.id);
});

Deno.test("a deployment is in the audit log once it is recorded, not when it is refused", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const id = await api.project("shop");
  await building(api, (id) => api.succeed(id), client.deploy("shop", APP));
  await client.deploy("shop", APP, { entrypoint: "nope.ts" });
  const { body } = await api.call("GET", "/v1/audit");
  const changes = body.map(({ action, target }: Json) => [action, target]);
  assert.deepEqual(changes.toReversed(), [["create project", id], ["create deployment", api.submitted[0]]]);
});

Deno.test("a build that fails ends the deployment with the errors of its log", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  await api.project("shop");
  const { events } = await building(api, fail(api, 'main.ts:3:7: Expected ";"'), client.deploy("shop", APP));
  assert.deepEqual(events.at(-1), {
    type: "error",
    code: "deploymentFailed",
    ctx: 'main.ts:3:7: Expected ";"',
  });
  const [id] = api.submitted;
  const shown = await client.json(`/deployments/${id}`);
  assert.deepEqual([shown.deployment, shown.logs[0].ctx], [null, 'main.ts:3:7: Expected ";"']);
  const [[listed]] = await client.json("/projects/shop/deployments");
  assert.equal(listed.logs[0].type, "error");
});

Deno.test("what cannot be deployed is refused by an event, for the client shows a stack at another status", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  await api.project("shop");
  const { entries, contents } = await walk(APP);
  const request = {
    url: "file:///src/main.ts",
    importMapUrl: null,
    production: false,
    manifest: { entries },
  };
  const absent = { kind: "file", gitSha1: "0".repeat(40), size: 1 } as const;
  const cases: [changes: Record<string, unknown>, files: string[], RegExp][] = [
    [
      { url: "https://example.com/x.ts" },
      [],
      /^badRequest: .*"url": "https:\/\/example\.com\/x\.ts" must name one of/,
    ],
    [{ manifest: undefined }, [], /^badRequest: .*"manifest"/],
    [{ importMapUrl: "file:///src/x.json" }, [], /^badRequest: .*"importMapUrl"/],
    [{ manifest: { entries: { ...entries, "..": absent } } }, [], /^badRequest: Cannot take asset "\.\."/],
    [
      { manifest: { entries: { ...entries, x: { kind: "pipe" } } } },
      [],
      /^badRequest: Cannot take asset "x"/,
    ],
    [
      { manifest: { entries: { ...entries, x: { kind: "symlink", target: "/etc" } } } },
      [],
      /^badRequest: Cannot take asset "x": its target "\/etc" is not relative/,
    ],
    [
      { manifest: { entries: { ...entries, x: { ...absent, size: 2 ** 30 } } } },
      [],
      /^badRequest: Cannot take more than 1073741824 bytes of files/,
    ],
    [
      {},
      ["nobody asked for this"],
      /^hashMismatch: Cannot take a file: its git SHA-1 "[0-9a-f]{40}" is not in/,
    ],
    [{}, ["x".repeat(100)], /^badRequest: Cannot take files of more than 33 bytes/],
    [
      { manifest: { entries: { ...entries, x: absent } } },
      [],
      /^assetsMissing: \d files of the manifest were not/,
    ],
  ];
  for (const [changes, files, expected] of cases) {
    const bytes = files.map((text) => new TextEncoder().encode(text));
    const events = await Array.fromAsync(await client.push("shop", { ...request, ...changes }, bytes));
    const { type, code, ctx } = events.at(-1);
    assert.equal(type, "error");
    assert.match(`${code}: ${ctx}`, expected);
  }
  assert.deepEqual([...contents].length, 2);
  assert.deepEqual(api.submitted, []);
  const unknown = client.push("nowhere", request, []);
  assert.equal((await refusal(unknown))[0], "projectNotFound");
});

Deno.test("a form that is none, or ends too early, is refused", async () => {
  await using api = await startTestApi();
  await api.project("shop");
  const push = async (type: string, body: string) => {
    const path = "/api/projects/shop/deployment_with_assets";
    const { status, body: lines } = await api.call("POST", path, body, { "content-type": type });
    assert.equal(status, 200);
    return JSON.parse(lines).ctx;
  };
  const form = "multipart/form-data; boundary=x";
  const disposition = 'content-disposition: form-data; name="request"';
  assert.match(await push("text/plain", "hello"), /its content-type is not "multipart\/form-data"/);
  assert.match(await push(form, "hello"), /it ends too early|must be "request"/);
  assert.match(await push(form, `--x\r\n${disposition}\r\n\r\n{"url`), /it ends too early/);
  assert.match(await push(form, `--x\r\n${disposition}\r\n\r\n{"url\r\n--x--\r\n`), /not JSON/);
  const other = `--x\r\n${disposition.replace("request", "file")}\r\n\r\nx\r\n--x--\r\n`;
  assert.match(await push(form, other), /the first part of the form must be "request"/);
});

Deno.test("deployments are listed newest first, in pages that are counted from 0", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const id = await api.project("shop");
  const ids = [];
  for (let count = 0; count < 3; count++) ids.unshift(await api.deployment(id));
  api.succeed(ids[2]!);
  const [page, paging] = await client.json("/projects/shop/deployments/?limit=2&page=0");
  assert.deepEqual(page.map(({ deploymentId }: Json) => deploymentId), ids.slice(0, 2));
  assert.deepEqual(paging, { page: 0, count: 2, limit: 2, totalCount: 3, totalPages: 2 });
  const [[last]] = await client.json("/projects/shop/deployments?limit=2&page=1");
  assert.deepEqual([last.id, last.deployment.url, last.project.id], [ids[2], "file:///src/main.ts", id]);
  assert.deepEqual(page[0].deployment.domainMappings, []);
  assert.equal((await refusal(client.json("/projects/shop/deployments?page=-1")))[0], "badRequest");
  assert.equal((await refusal(client.json("/projects/nowhere/deployments?")))[0], "projectNotFound");
});

Deno.test("a redeployment is answered when it is served; then the old one can be deleted", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const origin = await api.deployment(await api.project("shop"), { envVars: { A: "1", B: "2" } });
  api.succeed(origin);
  const body = { prod: true, env_vars: { A: null, C: "3" }, description: "again" };
  const path = `/v1/deployments/${origin}/redeploy?internal=true`;
  const redeployed = await building(
    api,
    (id) => api.succeed(id),
    client.json(path, { method: "POST", body }),
  );
  assert.deepEqual(redeployed.domains.toSorted(), [
    `shop-${redeployed.id}.isola.test:8000`,
    "shop.isola.test:8000",
  ]);
  const { env, description } = api.store.deployments.get(redeployed.id)!;
  assert.deepEqual([env, description], [{ B: "2", C: "3" }, "again"]);
  assert.equal(await client.json(`/v1/deployments/${origin}`, { method: "DELETE" }), null);
  assert.deepEqual(api.ended, [origin]);
  for (
    const [method, gone] of [["GET", `/deployments/${origin}`], ["POST", path], [
      "DELETE",
      `/v1/deployments/${origin}`,
    ]] as const
  ) {
    const call = client.json(gone, { method, ...(method === "POST" ? { body } : {}) });
    assert.equal((await refusal(call))[0], "deploymentNotFound", gone);
  }
});

Deno.test("live logs begin once the client is told so, and past ones are filtered", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const projectId = await api.project("shop");
  const base = "/projects/shop/deployments/latest";
  assert.equal((await refusal(client.stream(`${base}/logs/`)))[0], "deploymentNotFound");
  const id = await api.deployment(projectId);
  const stop = new AbortController();
  const live = await client.stream(`${base}/logs/`, { accept: "application/x-ndjson", signal: stop.signal });
  assert.deepEqual((await live.next()).value, { type: "ready" });
  const line = (second: number, message: string) => ({
    time: `2026-01-01T00:00:0${second}.000Z`,
    level: second > 1 ? "error" as const : "info" as const,
    message,
    region: "local",
  });
  api.logs.app.append(id, [
    line(1, "request /a"),
    line(2, "request /b fails"),
    line(3, "request /c fails too"),
  ]);
  assert.deepEqual((await live.next()).value, { type: "message", ...line(1, "request /a") });
  stop.abort();

  const query = async (params: Record<string, unknown>) => {
    const { logs } = await client.json(
      `${base}/query_logs?${new URLSearchParams({ params: JSON.stringify(params) })}`,
    );
    return logs.map(({ message }: Json) => message);
  };
  assert.deepEqual(await query({}), ["request /a", "request /b fails", "request /c fails too"]);
  assert.deepEqual(await query({ limit: 1 }), ["request /c fails too"]);
  assert.deepEqual(await query({ q: ["request", "fails", "/b"] }), ["request /b fails"]);
  assert.deepEqual(await query({ levels: ["info"], regions: ["local"] }), ["request /a"]);
  assert.deepEqual(await query({ regions: ["elsewhere"] }), []);
  assert.deepEqual(await query({ since: line(3, "").time }), ["request /c fails too"]);
  const { logs: [first] } = await client.json(
    `${base}/query_logs?params=${encodeURIComponent('{"limit":1}')}`,
  );
  assert.deepEqual([first.deploymentId, first.timestamp], [id, line(3, "").time]);
  assert.equal((await refusal(client.json(`${base}/query_logs?params={`)))[0], "badRequest");
});

Deno.test("what is watched are the isolates of the project alone", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const [own, other] = [await api.project("shop"), await api.project("other")];
  const ids = [await api.deployment(own), await api.deployment(other)];
  api.isolates = ids.map((deploymentId, index) => ({
    deploymentId,
    state: "ready",
    pid: index + 1,
    startedAt: new Date().toISOString(),
    lastRequestAt: null,
    requests: 5,
    inFlight: 0,
    cpuMs: 10,
    memoryBytes: 1000,
  }));
  const stop = new AbortController();
  const stats = await client.stream("/projects/shop/stats", { signal: stop.signal });
  const { value } = await stats.next();
  assert.deepEqual([value.deploymentId, value.region, value.maxRss5Minutes, value.requestsPerMinute], [
    ids[0],
    "local",
    1000,
    0,
  ]);
  stop.abort();
});

Deno.test("regions, databases, crons and domains are told", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  const id = await api.project("shop");
  assert.deepEqual(await client.json("/meta"), { regionCodes: ["local"] });
  assert.deepEqual(await client.json("/projects/shop/databases"), []);
  assert.deepEqual(await client.json("/projects/shop/domains"), []);
  assert.equal(
    (await refusal(client.json("/projects/shop/deployments/latest/crons")))[0],
    "deploymentNotFound",
  );
  const deployment = await api.deployment(id);
  assert.deepEqual(await client.json(`/projects/shop/deployments/${deployment}/crons`), []);
});

Deno.test("a client without a token gets one that somebody lets in by the page which it opens", async () => {
  await using api = await startTestApi();
  const stranger = new DeployctlClient(api.url, "wrong");
  assert.equal((await refusal(stranger.json("/organizations")))[0], "unauthorized");

  const verifier = new Uint8Array(32).toBase64({ alphabet: "base64url", omitPadding: true });
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const challenge = new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
  const signIn = () => fetch(`${api.url}/api/signin/cli/access_token`, { method: "POST", body: verifier });
  const waiting = await signIn();
  assert.equal(waiting.status, 200);
  const opened = `${api.url}/signin/cli?claim_challenge=${challenge}`;
  const page = await fetch(opened);
  assert.match(await page.text(), /deployctl/);
  const code = new URL(page.url).searchParams.get("code")!;
  assert.match(code, /^[A-Z]{4}-[A-Z]{4}$/);
  const body = new URLSearchParams({
    code,
    token: api.token,
    role: "deploy",
    organization: "default",
    days: "1",
  });
  const allowed = await fetch(`${api.url}/login`, { method: "POST", body });
  assert.equal(allowed.status, 200, await allowed.text());
  const { token } = await waiting.json();
  const client = new DeployctlClient(api.url, token);
  assert.equal((await client.json("/organizations")).length, 1);
  assert.equal((await refusal(client.json("/projects/", { method: "POST", body: {} })))[0], "forbidden");

  const given = await signIn();
  await given.body!.cancel();
  assert.doesNotMatch(await (await fetch(`${opened}x`)).text(), /deployctl/);
});

Deno.test("the API itself is under /api/v1, for deployctl api", async () => {
  await using api = await startTestApi();
  const client = clientOf(api);
  assert.equal((await client.json("/v1/organizations"))[0].id, api.organizationId);
});

Deno.test("a token may do what its role and bound allow, and what is another's does not exist for it", async () => {
  await using api = await startTestApi();
  const own = await api.project("shop");
  await api.project("blog");
  const stranger = api.store.organizations.create("strangers");
  const client = (
    role: "write" | "deploy" | "read",
    organizationId: string,
    projectId: string | null = null,
  ) => {
    const name = crypto.randomUUID();
    const { text } = api.store.tokens.create({ name, role, organizationId, projectId, expiresAt: null });
    return new DeployctlClient(api.url, text);
  };
  const foreign = client("write", stranger.id);
  for (const path of ["", "/deployments", "/domains", "/databases", "/stats", "/deployments/latest/crons"]) {
    const [code, message] = await refusal(foreign.json(`/projects/shop${path}`));
    const [unknownCode, unknownMessage] = await refusal(foreign.json(`/projects/nope${path}`));
    assert.deepEqual([code, message], [unknownCode, unknownMessage.replace("nope", "shop")]);
  }
  assert.equal((await refusal(foreign.deploy("shop", APP)))[0], "projectNotFound");
  assert.deepEqual((await foreign.json("/organizations")).map(({ name }: Json) => name), ["strangers"]);

  const reader = client("read", api.organizationId);
  assert.equal((await reader.json("/projects/shop")).name, "shop");
  assert.equal((await refusal(reader.deploy("shop", APP)))[0], "forbidden");
  const deployer = client("deploy", api.organizationId, own);
  const { events } = await building(api, (id) => api.succeed(id), deployer.deploy("shop", APP));
  assert.equal(events.at(-1).type, "success");
  assert.equal((await refusal(deployer.json("/projects/blog")))[0], "projectNotFound");
  assert.equal((await refusal(deployer.json("/projects/shop", { method: "DELETE" })))[0], "forbidden");
  const { projects } = await deployer.json(`/organizations/${api.organizationId}`);
  assert.deepEqual(projects.map(({ name }: Json) => name), ["shop"]);
});
