import assert from "node:assert/strict";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

function withToken(api: TestApi, token: string) {
  return (method: string, path: string, body?: unknown) =>
    api.call(method, path, body, { authorization: `Bearer ${token}` });
}

Deno.test("a token is shown once, tells what it is, and is refused as soon as it is revoked", async () => {
  await using api = await startTestApi();
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const given = { name: "ci", role: "deploy", organizationId: api.organizationId, expiresAt };
  const { status, body: { token, ...made } } = await api.call("POST", "/v1/tokens", given);
  assert.equal(status, 200);
  assert.deepEqual(made, {
    ...given,
    id: made.id,
    projectId: null,
    createdAt: made.createdAt,
    lastUsedAt: null,
  });
  const call = withToken(api, token);
  const self = await call("GET", "/v1/tokens/self");
  assert.deepEqual({ ...self.body, lastUsedAt: null }, made);
  assert.notEqual(self.body.lastUsedAt, null);
  const listed = await api.call("GET", "/v1/tokens?q=ci");
  assert.deepEqual(listed.body.map(({ id }: { id: string }) => id), [made.id]);
  assert.ok(!JSON.stringify(listed.body).includes(token));

  assert.equal((await api.call("DELETE", `/v1/tokens/${made.id}`)).status, 200);
  const revoked = await call("GET", "/v1/tokens/self");
  assert.equal(revoked.status, 401);
  assert.match(revoked.body.message, /^The access token "ci" was revoked at 20/);
  assert.equal((await api.call("DELETE", `/v1/tokens/${made.id}`)).body.code, "tokenNotFound");
});

Deno.test("a log that is followed ends when the token that follows it is revoked or expires", async () => {
  await using api = await startTestApi();
  const deploymentId = await api.deployment(await api.project("shop"));
  const given = { role: "read", organizationId: api.organizationId };
  const { body: one } = await api.call("POST", "/v1/tokens", { ...given, name: "one" });
  const { body: two } = await api.call("POST", "/v1/tokens", { ...given, name: "two" });
  const expiresAt = new Date(Date.now() + 1000).toISOString();
  const { body: short } = await api.call("POST", "/v1/tokens", { ...given, name: "short", expiresAt });
  const follow = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, accept: "application/x-ndjson" };
    const response = await fetch(`${api.url}/v1/deployments/${deploymentId}/app_logs`, { headers });
    return response.body!.getReader();
  };
  const readerShort = await follow(short.token);
  const [readerOne, readerTwo] = [await follow(one.token), await follow(two.token)];
  await api.call("DELETE", `/v1/tokens/${one.id}`);
  assert.ok((await readerOne.read()).done);
  // On a slow machine it is an answer that says so.
  while (!(await readerShort.read()).done);
  const line = { time: new Date().toISOString(), level: "info", message: "hello", region: "local" } as const;
  api.logs.app.append(deploymentId, [line]);
  assert.match(new TextDecoder().decode((await readerTwo.read()).value), /hello/);
  await readerTwo.cancel();
});

Deno.test("a call whose body is still arriving when its token is revoked changes nothing", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const calls = [
    ["POST", "/v1/tokens", '{"role":"write","name":"another"}'],
    ["PATCH", `/v1/projects/${projectId}`, '{"description":"changed"}'],
    [
      "POST",
      `/v1/projects/${projectId}/deployments`,
      `{"entryPointUrl":"a","envVars":{},"assets":{"a":
      {"kind":"file","content":"1"}}}`,
    ],
    ["PUT", `/v1/projects/${projectId}/assets/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391`, ""],
  ] as const;
  const given = { name: "leaked", role: "write", organizationId: api.organizationId };
  const { body: { id, token } } = await api.call("POST", "/v1/tokens", given);
  const revoked = Promise.withResolvers<void>();
  let begun = 0;
  const answers = calls.map(([method, path, text]) => {
    const pieces = async function* () {
      yield new TextEncoder().encode(text.slice(0, 10));
      if (++begun === calls.length) {
        await api.call("DELETE", `/v1/tokens/${id}`).then(() => revoked.resolve());
      }
      await revoked.promise;
      yield new TextEncoder().encode(text.slice(10));
    };
    const headers = { authorization: `Bearer ${token}` };
    return fetch(api.url + path, { method, headers, body: ReadableStream.from(pieces()) });
  });
  for (const answer of await Promise.all(answers)) {
    assert.equal(answer.status, 401);
    const { message } = await answer.json();
    assert.equal(message, 'The access token "leaked" was revoked, or expired, meanwhile');
  }
  assert.deepEqual((await api.call("GET", "/v1/tokens")).body.map(({ name }: { name: string }) => name), [
    "admin",
  ]);
  assert.deepEqual(api.submitted, []);
  assert.equal((await api.call("GET", `/v1/projects/${projectId}`)).body.description, "");
});

Deno.test("an expired token says so", async () => {
  await using api = await startTestApi();
  const { text } = api.store.tokens.create({
    name: "old",
    role: "read",
    organizationId: api.organizationId,
    projectId: null,
    expiresAt: "2026-01-01T00:00:00.000Z",
  });
  const { status, body } = await withToken(api, text)("GET", "/v1/organizations");
  assert.deepEqual([status, body.message], [
    401,
    'The access token "old" expired at 2026-01-01T00:00:00.000Z',
  ]);
});

Deno.test("a token makes none with more rights than its own", async () => {
  await using api = await startTestApi();
  const { organizationId } = api;
  const projectId = await api.project("shop");
  const other = await api.project("other");
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const make = async (given: Record<string, unknown>, by = api.call.bind(api)) => {
    const { status, body } = await by("POST", "/v1/tokens", { name: crypto.randomUUID(), ...given });
    return { status, body, code: body.code as string };
  };
  const bound = await make({ role: "write", projectId, expiresAt });
  assert.deepEqual([bound.body.organizationId, bound.body.projectId], [organizationId, projectId]);
  const byProject = withToken(api, bound.body.token);

  const inherited = await make({ role: "deploy" }, byProject);
  assert.deepEqual([inherited.body.projectId, inherited.body.expiresAt], [projectId, expiresAt]);
  assert.equal((await make({ role: "admin" }, byProject)).code, "forbidden");
  assert.equal((await make({ role: "read", organizationId }, byProject)).code, "badRequest");
  assert.equal((await make({ role: "read", projectId: other }, byProject)).code, "projectNotFound");
  const later = new Date(Date.parse(expiresAt) + 1000).toISOString();
  assert.match((await make({ role: "read", expiresAt: later }, byProject)).body.message, /must not be after/);
  const byDeploy = withToken(api, inherited.body.token);
  assert.equal((await make({ role: "read" }, byDeploy)).code, "forbidden");

  const organization = withToken(api, (await make({ role: "write", organizationId })).body.token);
  assert.equal((await make({ role: "read" }, organization)).body.organizationId, organizationId);
  assert.equal(
    (await make({ role: "read", organizationId: "x" }, organization)).code,
    "organizationNotFound",
  );
});

Deno.test("what a new token is to be is checked, and named when it is wrong", async () => {
  await using api = await startTestApi();
  const { organizationId } = api;
  const projectId = await api.project("shop");
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ role: "write", organizationId }, /"name"/],
    [{ name: " ", role: "write", organizationId }, /"name": must be 1 to 100/],
    [{ name: "a\nb", role: "write", organizationId }, /"name"/],
    [{ name: "x", role: "king", organizationId }, /"role"/],
    [{ name: "x", role: "write" }, /"organizationId": is needed/],
    [{ name: "x", role: "admin", organizationId }, /"role": "admin" is of the whole machine/],
    [{ name: "x", role: "read", projectId, organizationId: "y" }, /"organizationId"/],
    [{ name: "x", role: "read", organizationId, expiresAt: "tomorrow" }, /"expiresAt": must be a time/],
    [{ name: "x", role: "read", organizationId, expiresAt: "2020-01-01T00:00:00Z" }, /has passed/],
  ];
  for (const [given, problem] of wrong) {
    const { status, body } = await api.call("POST", "/v1/tokens", given);
    assert.equal(status, 400, JSON.stringify(given));
    assert.match(body.message, problem);
  }
  const named = { name: "ci", role: "read", organizationId };
  assert.equal((await api.call("POST", "/v1/tokens", named)).status, 200);
  const again = await api.call("POST", "/v1/tokens", named);
  assert.deepEqual([again.status, again.body.code], [409, "tokenNameTaken"]);
  const { body: admin } = await api.call("GET", "/v1/tokens/self");
  const last = await api.call("DELETE", `/v1/tokens/${admin.id}`);
  assert.deepEqual([last.status, last.body.code], [409, "lastAdmin"]);
});

Deno.test("organizations are made, renamed and deleted by who manages the machine", async () => {
  await using api = await startTestApi();
  const made = await api.call("POST", "/v1/organizations", { name: "acme" });
  assert.deepEqual([made.status, made.body.name], [200, "acme"]);
  const path = `/v1/organizations/${made.body.id}`;
  assert.equal(
    (await api.call("POST", "/v1/organizations", { name: "ACME" })).body.code,
    "organizationNameTaken",
  );
  assert.equal((await api.call("POST", "/v1/organizations", { name: "-" })).status, 400);
  assert.equal((await api.call("PATCH", path, { name: "Acme" })).body.name, "Acme");
  assert.equal((await api.call("PATCH", path, { name: "default" })).status, 409);
  const page = await api.call("GET", "/v1/organizations?limit=1&sort=name");
  assert.equal(page.body.length, 1);
  assert.match(page.headers.get("link")!, /page=2>; rel="next"/);
  const { body: project } = await api.call("POST", `${path}/projects`, {});
  const full = await api.call("DELETE", path);
  assert.deepEqual([full.status, full.body.code], [409, "organizationNotEmpty"]);
  await api.call("DELETE", `/v1/projects/${project.id}`);
  const { body: { token } } = await api.call("POST", "/v1/tokens", {
    name: "ci",
    role: "write",
    organizationId: made.body.id,
  });
  assert.equal((await api.call("DELETE", path)).status, 200);
  assert.equal((await api.call("GET", path)).status, 404);
  assert.equal((await withToken(api, token)("GET", "/v1/organizations")).status, 401);
});
