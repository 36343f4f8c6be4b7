import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

const gitSha1 = (text: string) =>
  createHash("sha1").update(`blob ${new TextEncoder().encode(text).length}\0${text}`).digest("hex");
const file = (content: string) => ({ kind: "file", content });

async function create(api: TestApi, projectId: string, changes: Record<string, unknown>) {
  return await api.call("POST", `/v1/projects/${projectId}/deployments`, {
    entryPointUrl: "main.ts",
    assets: { "main.ts": file("1") },
    envVars: {},
    ...changes,
  });
}

Deno.test("a deployment is recorded with all that was asked for", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const { status, body } = await create(api, projectId, {
    entryPointUrl: "file:///src/app/main.ts",
    importMapUrl: "./map.json",
    lockFileUrl: "",
    compilerOptions: { jsx: "react-jsx" },
    assets: {
      "app/main.ts": file("main"),
      "map.json": file("{}"),
      "pixel.png": { kind: "file", content: "AAEC/w==", encoding: "base64" },
      "link": { kind: "symlink", target: "app/../map.json" },
    },
    envVars: { A: "1", _b2: "" },
    description: "hello",
    production: false,
    limits: { memoryMb: 128, maxConcurrency: 5 },
    requestTimeout: 2000,
    permissions: { net: ["API.example.com", "*.example.org:443", "10.0.0.1", "[::1]:80"] },
    domains: ["Shop.Example.com.", "{deployment.id}.{project.name}.example.com"],
    unknownField: "tolerated",
  });
  assert.equal(status, 200, JSON.stringify(body));
  const { id } = body;
  const record = api.store.deployments.get(id)!;
  assert.deepEqual(record.source, {
    entrypoint: "app/main.ts",
    importMap: "map.json",
    lockFile: "",
    compilerOptions: { jsx: "react-jsx" },
  });
  assert.deepEqual(record.env, { A: "1", _b2: "" });
  assert.deepEqual(record.net, ["api.example.com", "*.example.org:443", "10.0.0.1", "[::1]:80"]);
  assert.deepEqual(record.limits, { requestTimeoutMs: 2000, memoryMb: 128, maxConcurrency: 5 });
  const { files } = api.store.deployments.snapshot(id)!;
  assert.deepEqual(Object.keys(files).sort(), ["app/main.ts", "link", "map.json", "pixel.png"]);
  assert.deepEqual(files["link"], { kind: "symlink", target: "app/../map.json" });
  const pixel = files["pixel.png"]!;
  assert.ok(pixel.kind === "file" && pixel.size === 4);
  assert.deepEqual([...await Deno.readFile(api.store.blobs.path(pixel.sha256))], [0, 1, 2, 255]);

  assert.deepEqual(body.domains, []);
  assert.equal(body.url, null);
  api.succeed(id);
  const read = (await api.call("GET", `/v1/deployments/${id}`)).body;
  assert.deepEqual(read.domains.toSorted(), [`${id}.shop.example.com`, "shop.example.com"].toSorted());
  assert.equal(read.production, false);
  assert.equal(read.requestTimeout, 2000);
  assert.equal(read.limits.memoryMb, 128);
  assert.equal(read.limits.bootTimeoutMs, 10_000);
});

Deno.test("a deployment without domains has its default URLs, and promotion moves the project's", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const [first, second] = [await api.deployment(projectId), await api.deployment(projectId)];
  const promote = (id: string) => api.call("POST", `/v1/deployments/${id}/promote`);
  assert.deepEqual((await promote(second)).body.code, "deploymentNotReady");
  api.succeed(first);
  api.succeed(second);
  const read = async (id: string) => (await api.call("GET", `/v1/deployments/${id}`)).body;
  assert.deepEqual((await read(first)).domains, [`shop-${first}.isola.test`, "shop.isola.test"]);
  const promoted = await promote(second);
  assert.equal(promoted.status, 200);
  assert.equal(promoted.body.production, true);
  assert.deepEqual((await read(second)).domains, [`shop-${second}.isola.test`, "shop.isola.test"]);
  assert.equal((await read(first)).production, false);
  assert.equal((await read(first)).url, `http://shop-${first}.isola.test:8000`);

  assert.equal((await api.call("DELETE", `/v1/deployments/${second}`)).status, 200);
  assert.deepEqual([api.cancelled, api.ended], [[second], [second]]);
  assert.equal(api.store.projects.get(projectId)?.productionDeploymentId, null);
  assert.equal((await api.call("DELETE", `/v1/projects/${projectId}`)).status, 200);
  assert.deepEqual(api.ended, [second, first]);
});

Deno.test("domains are attached, taken over, and detached", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const [first, second] = [await api.deployment(projectId), await api.deployment(projectId)];
  const path = (id: string, domain = "Shop.Example.com") => `/v1/deployments/${id}/domains/${domain}`;
  assert.deepEqual((await api.call("PUT", path(first))).body.code, "deploymentNotReady");
  api.succeed(first);
  api.succeed(second);
  assert.deepEqual((await api.call("PUT", path(first))).body, { domain: "shop.example.com" });
  assert.deepEqual((await api.call("PUT", path(second))).body, { domain: "shop.example.com" });
  assert.deepEqual(api.store.routes().hostnames, [{ hostname: "shop.example.com", deploymentId: second }]);
  assert.deepEqual((await api.call("DELETE", path(first))).body.code, "domainNotFound");
  assert.equal((await api.call("DELETE", path(second))).status, 200);
  for (const domain of ["1.2.3.4", "single", "x.isola.test", "isola.test", "{project.name}.x.com", "a..b"]) {
    const refused = await api.call("PUT", path(first, encodeURIComponent(domain)));
    assert.deepEqual([refused.status, refused.body.code], [400, "badRequest"], domain);
  }
});

Deno.test("a client uploads only what its project has not", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const contents = ["one", "two", "three"];
  const hashes = contents.map(gitSha1);
  const assets = Object.fromEntries(
    hashes.map((hash, index) => [`${index}.ts`, { kind: "file", gitSha1: hash.toUpperCase() }]),
  );
  const body = { entryPointUrl: "0.ts", assets: { ...assets, "again.ts": assets["0.ts"] } };

  const refused = await create(api, projectId, body);
  assert.deepEqual([refused.status, refused.body.code], [400, "assetsMissing"]);
  assert.deepEqual(refused.body.missing, hashes);

  const uploads = `/v1/projects/${projectId}/assets`;
  const uploaded = await api.call("PUT", `${uploads}/${hashes[0]}`, contents[0]);
  assert.deepEqual(uploaded.body, { gitSha1: hashes[0], size: 3 });
  const wrong = await api.call("PUT", `${uploads}/${hashes[1]}`, "not two");
  assert.deepEqual([wrong.status, wrong.body.code], [400, "hashMismatch"]);
  assert.equal((await api.call("PUT", `${uploads}/xyz`, "x")).status, 400);

  const negotiated = await api.call("POST", `${uploads}/negotiate`, hashes);
  assert.deepEqual(negotiated.body, hashes.slice(1));
  for (const index of [1, 2]) await api.call("PUT", `${uploads}/${hashes[index]}`, contents[index]);
  assert.deepEqual((await api.call("POST", `${uploads}/negotiate`, hashes)).body, []);
  const created = await create(api, projectId, body);
  assert.equal(created.status, 200);
  const { files } = api.store.deployments.snapshot(created.body.id)!;
  assert.deepEqual(files["again.ts"], files["0.ts"]);
  assert.equal((await api.call("POST", `${uploads}/negotiate`, ["x"])).status, 400);
});

Deno.test("a large upload is streamed to disk and hashed there", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const chunk = new Uint8Array(2 ** 20).fill(7);
  const count = 48;
  const hash = createHash("sha1").update(`blob ${chunk.length * count}\0`);
  for (let index = 0; index < count; index++) hash.update(chunk);
  const response = await fetch(`${api.url}/v1/projects/${projectId}/assets/${hash.digest("hex")}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${api.token}` },
    body: ReadableStream.from(Array.from({ length: count }, () => chunk)),
  });
  assert.equal((await response.json()).size, chunk.length * count);
});

Deno.test("a deployment that cannot be built is not recorded", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  api.submitFails = true;
  const refused = await create(api, projectId, {});
  assert.deepEqual([refused.status, refused.body.code], [503, "overloaded"]);
  assert.match(refused.body.message, /1000 builds wait/);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.deepEqual((await api.call("GET", `/v1/projects/${projectId}/deployments`)).body, []);
});

Deno.test("bodies that are no JSON, too long, or of the wrong shape are refused with a reason", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const path = `/v1/projects/${projectId}/deployments`;
  assert.match((await api.call("POST", path, "{")).body.message, /^The request body is not JSON: /);
  assert.match((await api.call("POST", path)).body.message, /not JSON/);
  assert.match((await api.call("POST", path, Uint8Array.of(0x22, 0xff, 0x22))).body.message, /not JSON/);
  const long = await api.call(
    "POST",
    `/v1/organizations/${api.organizationId}/projects`,
    `"${"x".repeat(2 ** 20)}"`,
  );
  assert.deepEqual([long.status, long.body.code], [413, "bodyTooLarge"]);
  assert.equal(
    (await api.call("POST", path, {})).body.message,
    'Invalid request: "entryPointUrl": Invalid input: expected string, received undefined; ' +
      '"assets": must be an object of assets by path; "envVars": must be an object',
  );
  for (
    const [changes, message] of [
      [{ entryPointUrl: "other.ts" }, /"entryPointUrl": "other.ts" must name one of the assets/],
      [{ entryPointUrl: "https://x/main.ts" }, /"entryPointUrl"/],
      [{ entryPointUrl: "../main.ts" }, /"entryPointUrl"/],
      [{ importMapUrl: "map.json" }, /"importMapUrl": "map.json" must name/],
      [{ envVars: { DENO_DIR: "x" } }, /"envVars.DENO_DIR": its name is reserved/],
      [{ envVars: { A: 1 } }, /"envVars.A": its value must be a string/],
      [{ limits: { memoryMb: 1 } }, /"limits.memoryMb": Too small: expected number to be >=32/],
      [{ limits: { cpuBlockMs: 1.5 } }, /"limits.cpuBlockMs"/],
      [{ permissions: { net: ["ok.example", "no spaces"] } }, /"permissions.net.1": must be "host"/],
      [{ domains: ["shop.isola.test"] }, /"domains.0": must not be under "isola.test"/],
      [{ domains: ["x"] }, /"domains.0": must be a hostname/],
      [{ databases: { default: "x" } }, /"databases.default": must be the id of a database/],
      [{ databases: { other: crypto.randomUUID() } }, /"databases": can name "default" only/],
      [{ databases: { default: crypto.randomUUID() } }, /"databases.default": ".*" does not exist/],
      [{ description: "x".repeat(1001) }, /"description"/],
      [{ assets: { "main.ts": file("1"), "a/../b": file("2") } }, /Cannot take asset "a\/..\/b"/],
      [{ assets: { "main.ts": { kind: "file" } } }, /Cannot take asset "main.ts": must be \{kind: "file"/],
      [
        { assets: { "main.ts": { kind: "file", content: "!", encoding: "base64" } } },
        /"main.ts": its content is not base64/,
      ],
    ] as const
  ) {
    const refused = await create(api, projectId, changes);
    assert.deepEqual([refused.status, refused.body.code], [400, "badRequest"], JSON.stringify(changes));
    assert.match(refused.body.message, message);
  }
  assert.deepEqual(api.submitted, []);
});

Deno.test("the default hostname may be asked for by its template, a list may be empty, and * is everywhere", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const asked = (await create(api, projectId, {
    domains: ["{project.name}-{deployment.id}.isola.test"],
    permissions: { net: ["a.example", "*"] },
  })).body.id;
  const none = await api.deployment(projectId, { domains: [], permissions: { net: [] } });
  api.succeed(asked);
  api.succeed(none);
  const read = async (id: string) => (await api.call("GET", `/v1/deployments/${id}`)).body;
  assert.deepEqual((await read(asked)).domains, [`shop-${asked}.isola.test`]);
  assert.equal((await read(asked)).permissions, null);
  assert.deepEqual([(await read(none)).domains, (await read(none)).url], [[], null]);
  assert.deepEqual((await read(none)).permissions, { net: [] });
});

Deno.test("a change of routes is answered once it is in force", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const id = await api.deployment(projectId);
  api.succeed(id);
  const calls: [method: string, path: string, body?: unknown][] = [
    ["POST", `/v1/deployments/${id}/promote`],
    ["PUT", `/v1/deployments/${id}/domains/a.example.com`],
    ["DELETE", `/v1/deployments/${id}/domains/a.example.com`],
    ["PATCH", `/v1/projects/${projectId}`, { name: "store" }],
    ["DELETE", `/v1/deployments/${id}`],
    ["DELETE", `/v1/projects/${projectId}`],
  ];
  for (const [method, path, body] of calls) {
    assert.equal((await api.call(method, path, body)).status, 200);
    assert.equal(api.unrouted, 0, `${method} ${path}`);
  }
});

Deno.test("an untrusted project gets no deployments where isolates share a process, and those it has are told of", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const { body: { id } } = await create(api, projectId, {});
  const marked = await api.call("PATCH", `/v1/projects/${projectId}`, { untrusted: true });
  assert.deepEqual([marked.body.untrusted, marked.body.name], [true, "shop"]);
  assert.deepEqual(api.distrusted, [id]);
  const refused = await create(api, projectId, {});
  assert.deepEqual([refused.status, refused.body.code], [409, "projectUntrusted"]);
  assert.equal(refused.headers.get("x-should-retry"), "false");
  assert.match(refused.body.message, /untrusted.*Deploy it on a server with ISOLA_ISOLATION=process$/);
  await api.call("PATCH", `/v1/projects/${projectId}`, { description: "x" });
  assert.equal(api.store.projects.get(projectId)!.untrusted, true);
  await api.call("PATCH", `/v1/projects/${projectId}`, { untrusted: false });
  assert.equal((await create(api, projectId, {})).status, 200);
  const path = `/v1/organizations/${api.organizationId}/projects`;
  const born = await api.call("POST", path, { name: "guests", untrusted: true });
  assert.equal(born.body.untrusted, true);
  const { body: projects } = await api.call("GET", path);
  assert.deepEqual(
    Object.fromEntries(projects.map(({ name, untrusted }: Record<string, unknown>) => [name, untrusted])),
    { shop: false, guests: true },
  );
  assert.deepEqual(api.distrusted, [id]);
});

Deno.test("live isolates are listed", async () => {
  await using api = await startTestApi();
  api.isolates = [{
    deploymentId: "abcde12vwxyz",
    state: "ready",
    pid: 1,
    startedAt: "2030-01-01T00:00:00Z",
    lastRequestAt: null,
    requests: 0,
    inFlight: 0,
    cpuMs: 1,
    memoryBytes: 2,
  }];
  assert.deepEqual((await api.call("GET", "/v1/isolates")).body, api.isolates);
});
