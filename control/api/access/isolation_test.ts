import assert from "node:assert/strict";
import type { Role } from "../../store/mod.ts";
import { controlApp } from "../api.ts";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

/** What needs a token; `/git` has no ids that anybody could guess, and is refused by the same rules. */
const TENANT_ROUTE = /^\/(?:api|v1)\/(?!signin|device)/;

interface Route {
  method: string;
  path: string;
}

/** By the names of parameters. */
type Ids = Record<string, string>;

function routesOf(api: TestApi): Route[] {
  const seen = new Set<string>();
  return controlApp(api.deps).routes.filter(({ method, path }) => {
    const isNew = !seen.has(`${method} ${path}`);
    seen.add(`${method} ${path}`);
    return isNew && method !== "ALL" && TENANT_ROUTE.test(path);
  });
}

function filled({ path }: Route, ids: Ids): string {
  return path.replace(/:(\w+)/g, (_, name: string) => {
    assert.ok(name in ids, `This test has to learn what ":${name}" of ${path} is`);
    return ids[name]!;
  });
}

const UNKNOWN: Ids = {
  organizationId: "0b9b4dfa-5a0a-4b7e-9d0e-7f3b6f0a0001",
  projectId: "0b9b4dfa-5a0a-4b7e-9d0e-7f3b6f0a0002",
  deploymentId: "abcdefabcdef",
  domainId: "0b9b4dfa-5a0a-4b7e-9d0e-7f3b6f0a0003",
  databaseId: "0b9b4dfa-5a0a-4b7e-9d0e-7f3b6f0a0004",
  tokenId: "0b9b4dfa-5a0a-4b7e-9d0e-7f3b6f0a0005",
  organization: "0b9b4dfa-5a0a-4b7e-9d0e-7f3b6f0a0006",
  project: "no-such-project",
  deployment: "abcdefabcdee",
  gitSha1: "0".repeat(40),
  domain: "shop.example.com",
  subhosterId: "no-such-subhoster",
};

/** An organization with one of everything. */
async function furnish(api: TestApi, name: string): Promise<{ ids: Ids; organizationId: string }> {
  const make = async (path: string, body: unknown) => (await api.call("POST", path, body)).body.id as string;
  const organizationId = await make("/v1/organizations", { name });
  const organization = `/v1/organizations/${organizationId}`;
  const projectId = await make(`${organization}/projects`, { name: `${name}-app` });
  const deploymentId = await api.deployment(projectId);
  api.succeed(deploymentId);
  const domainId = await make(`${organization}/domains`, { domain: `${name}.example.com` });
  const databaseId = await make(`${organization}/databases`, {});
  const tokenId = await make("/v1/tokens", { name: "theirs", role: "read", organizationId });
  const ids = { organizationId, projectId, deploymentId, domainId, databaseId, tokenId };
  return {
    organizationId,
    ids: {
      ...UNKNOWN,
      ...ids,
      organization: organizationId,
      project: `${name}-app`,
      deployment: deploymentId,
    },
  };
}

/** A caller with a token of its own. */
async function callerOf(api: TestApi, given: { role: Role; organizationId?: string; projectId?: string }) {
  const name = `${given.role} ${crypto.randomUUID()}`;
  const { body } = await api.call("POST", "/v1/tokens", { name, ...given });
  return (method: string, path: string, content?: unknown) =>
    api.call(method, path, content, { authorization: `Bearer ${body.token}` });
}

/** An answer, with ids as they might be anybody's. */
function anonymous({ status, body }: { status: number; body: unknown }, ids: Ids): unknown {
  let text = JSON.stringify(body);
  for (const id of Object.values(ids)) text = text.replaceAll(id, "…");
  return { status, text };
}

Deno.test("what is another organization's or another project's is answered as if it did not exist, in every call", async () => {
  await using api = await startTestApi();
  const theirs = await furnish(api, "theirs");
  const ours = await furnish(api, "ours");
  const sibling = await api.call("POST", `/v1/organizations/${ours.organizationId}/projects`, {
    name: "sibling",
  });
  const siblingIds = { ...theirs.ids, projectId: sibling.body.id, project: "sibling" };
  const deploymentId = await api.deployment(sibling.body.id);
  const changesBefore = api.store.audit.query({
    ...{ organizationId: theirs.organizationId, tokenId: null, sinceMs: null, untilMs: null },
    ...{ limit: 100, order: "desc", cursor: null },
  }).records.length;
  const callers = [
    {
      caller: await callerOf(api, { role: "write", organizationId: ours.organizationId }),
      foreign: theirs.ids,
    },
    {
      caller: await callerOf(api, { role: "write", projectId: ours.ids.projectId! }),
      foreign: { ...siblingIds, deploymentId, deployment: deploymentId },
    },
  ];
  const routes = routesOf(api).filter(({ path }) => path.includes(":"));
  assert.ok(routes.length > 40);
  for (const { caller, foreign } of callers) {
    for (const route of routes) {
      const label = `${route.method} ${route.path}`;
      const body = route.method === "GET" ? undefined : {};
      const forForeign = await caller(route.method, filled(route, foreign), body);
      const forUnknown = await caller(route.method, filled(route, UNKNOWN), body);
      assert.deepEqual(anonymous(forForeign, foreign), anonymous(forUnknown, UNKNOWN), label);
      assert.ok([403, 404].includes(forForeign.status), `${label}: ${forForeign.status}`);
    }
  }
  assert.equal((await api.call("GET", `/v1/deployments/${theirs.ids.deploymentId}`)).status, 200);
  assert.equal((await api.call("GET", `/v1/domains/${theirs.ids.domainId}`)).status, 200);
  const changes = await api.call("GET", `/v1/audit?organizationId=${theirs.organizationId}`);
  assert.equal(changes.body.length, changesBefore);
});

Deno.test("lists show what is within the token's bound", async () => {
  await using api = await startTestApi();
  const theirs = await furnish(api, "theirs");
  const ours = await furnish(api, "ours");
  await api.call("POST", `/v1/organizations/${ours.organizationId}/projects`, { name: "sibling" });
  const organization = await callerOf(api, { role: "write", organizationId: ours.organizationId });
  const project = await callerOf(api, { role: "write", projectId: ours.ids.projectId! });
  const names = async (caller: typeof project, path: string) =>
    (await caller("GET", path)).body.map(({ name }: { name: string }) => name.split(" ")[0]).sort();
  assert.deepEqual(await names(api.call.bind(api), "/v1/organizations"), ["default", "ours", "theirs"]);
  for (const caller of [organization, project]) {
    assert.deepEqual(await names(caller, "/v1/organizations"), ["ours"]);
    assert.deepEqual(await names(caller, "/api/organizations"), ["ours"]);
  }
  const projects = `/v1/organizations/${ours.organizationId}/projects`;
  assert.deepEqual(await names(organization, projects), ["ours-app", "sibling"]);
  assert.deepEqual(await names(project, projects), ["ours-app"]);
  assert.deepEqual(await names(organization, "/v1/tokens"), ["theirs", "write", "write"]);
  assert.deepEqual(await names(project, "/v1/tokens"), ["write"]);
  const audit = (await organization("GET", "/v1/audit")).body as { organizationId: string }[];
  assert.deepEqual([...new Set(audit.map(({ organizationId }) => organizationId))], [ours.organizationId]);
  assert.equal(
    (await organization("GET", `/v1/audit?organizationId=${theirs.organizationId}`)).status,
    404,
  );
});

Deno.test("each role may do what it says, in every call", async () => {
  await using api = await startTestApi();
  const { ids, organizationId } = await furnish(api, "ours");
  const routes = routesOf(api);
  const deploys =
    /^(?:POST .*\/(?:deployments|redeploy|promote|negotiate|deployment_with_assets|git\/sync)|PUT .*\/assets\/:gitSha1)$/;
  const admins =
    /^(?:POST|PATCH|DELETE) .*\/(?:v1|api)\/organizations(?:\/:organizationId)?$|\/(?:isolates|refused_tokens)$|\/subhosters\b/;
  const managing = /^GET .*\/(?:tokens|audit)$/;
  const unbound =
    /\/v1\/(?:domains|databases|audit|isolates)|\/v1\/organizations\/:organizationId\/(?!projects)/;
  const creating = /^POST .*\/(?:organizations\/:organizationId\/projects|api\/projects\/?)$/;
  const refusals: Record<string, (call: string) => boolean> = {
    read: (call) => !call.startsWith("GET ") || managing.test(call) || admins.test(call),
    deploy: (call) =>
      !call.startsWith("GET ") && !deploys.test(call) || managing.test(call) || admins.test(call),
    write: (call) => admins.test(call),
    admin: () => false,
    project: (call) => admins.test(call) || unbound.test(call) || creating.test(call),
  };
  for (const [name, isRefused] of Object.entries(refusals)) {
    const caller = await callerOf(
      api,
      name === "admin"
        ? { role: "admin" }
        : name === "project"
        ? { role: "write", projectId: ids.projectId! }
        : { role: name as Role, organizationId },
    );
    for (const route of routes) {
      const call = `${route.method} ${route.path}`;
      // Nothing is found, and nothing is made of an empty body: only whether it is tried counts.
      const { status, body } = await caller(
        route.method,
        filled(route, UNKNOWN),
        route.method === "GET" ? undefined : {},
      );
      assert.equal(
        status === 403,
        isRefused(call),
        `${name}: ${call} was answered ${status} ${JSON.stringify(body)}`,
      );
    }
  }
});

Deno.test("a token of one project takes no hostname from another project", async () => {
  await using api = await startTestApi();
  const { ids, organizationId } = await furnish(api, "ours");
  const domain = "shop.example.com";
  assert.equal((await api.call("PUT", `/v1/deployments/${ids.deploymentId}/domains/${domain}`)).status, 200);
  const { body: own } = await api.call("POST", `/v1/organizations/${organizationId}/projects`, {
    name: "own",
  });
  const deploymentId = await api.deployment(own.id);
  api.succeed(deploymentId);
  const caller = await callerOf(api, { role: "write", projectId: own.id });
  const body = {
    entryPointUrl: "main.ts",
    assets: { "main.ts": { kind: "file", content: "1" } },
    envVars: {},
  };
  const attempts = [
    await caller("PUT", `/v1/deployments/${deploymentId}/domains/${domain}`),
    await caller("POST", `/v1/projects/${own.id}/deployments`, { ...body, domains: [domain] }),
    await caller("POST", `/v1/deployments/${deploymentId}/redeploy`, { domains: [domain] }),
  ];
  for (const attempt of attempts) {
    assert.deepEqual([attempt.status, attempt.body.message], [
      400,
      `Cannot attach "${domain}": another project has it`,
    ]);
  }
  assert.equal((await caller("PUT", `/v1/deployments/${deploymentId}/domains/free.example.com`)).status, 200);
});

Deno.test("nor does it by a new name for its project", async () => {
  await using api = await startTestApi();
  const { ids, organizationId } = await furnish(api, "ours");
  const domain = "next.example.com";
  await api.call("PUT", `/v1/deployments/${ids.deploymentId}/domains/${domain}`);
  const { body: own } = await api.call("POST", `/v1/organizations/${organizationId}/projects`, {
    name: "own",
  });
  const deploymentId = await api.deployment(own.id, { domains: ["{project.name}.example.com"] });
  api.succeed(deploymentId);
  const caller = await callerOf(api, { role: "write", projectId: own.id });
  assert.equal((await caller("PATCH", `/v1/projects/${own.id}`, { name: "next" })).status, 200);
  assert.equal(api.store.hostnames.target(domain)?.deploymentId, ids.deploymentId);
  assert.equal(api.store.hostnames.target("own.example.com")?.deploymentId, deploymentId);
});

Deno.test("nor does it by a build that ends after another project got the hostname", async () => {
  await using api = await startTestApi();
  const { ids, organizationId } = await furnish(api, "ours");
  const { body: own } = await api.call("POST", `/v1/organizations/${organizationId}/projects`, {
    name: "own",
  });
  const domains = ["late.example.com", "later.example.com"];
  const late = await api.deployment(own.id, { domains });
  await api.call("PUT", `/v1/deployments/${ids.deploymentId}/domains/${domains[0]}`);
  api.store.hostnames.attachToProduction(ids.projectId!, domains[1]!);
  api.succeed(late);
  const holders = () => domains.map((domain) => api.store.hostnames.target(domain)?.projectId);
  assert.deepEqual(holders(), [ids.projectId, ids.projectId]);
  // With a token of their organization they are taken over, from what was there before.
  api.succeed(await api.deployment(own.id, { domains }));
  assert.deepEqual(holders(), [own.id, own.id]);
});

Deno.test("who knows the hash of what another project has learns nothing of it, and does not get it", async () => {
  await using api = await startTestApi();
  const theirs = await furnish(api, "theirs");
  const ours = await furnish(api, "ours");
  // Of "hidden" and, which is in everybody's deployment here, of "1".
  const [hidden, common] = [
    "aea3c67bdd26acada1eb28d8afd35c7675ea61b9",
    "56a6051ca2b02b04ef92d5150c9ef600403cb1de",
  ] as const;
  const projectOf = ({ ids }: { ids: Ids }) => `/v1/projects/${ids.projectId}`;
  const upload = (owner: { ids: Ids }) => api.call("PUT", `${projectOf(owner)}/assets/${hidden}`, "hidden");
  assert.equal((await upload(theirs)).status, 200);
  const assets = { "main.ts": { kind: "file", gitSha1: hidden } };
  const inUse = await api.deployment(theirs.ids.projectId!, { assets });
  const caller = await callerOf(api, { role: "write", organizationId: ours.organizationId });
  const attempt = async () => [
    (await caller("POST", `${projectOf(ours)}/assets/negotiate`, [hidden, common])).body,
    (await caller("POST", `/api/projects/${ours.ids.project}/assets/negotiate`, {
      entries: { a: { kind: "file", gitSha1: hidden, size: 6 } },
    })).body,
    (await caller("POST", `${projectOf(ours)}/deployments`, {
      entryPointUrl: "main.ts",
      assets,
      envVars: {},
    }))
      .body.missing,
  ];
  assert.deepEqual(await attempt(), [[hidden], [hidden], [hidden]]);
  await upload(ours);
  assert.deepEqual(await attempt(), [[], [], undefined]);
  // What a project once had in a deployment it still has.
  await api.call("DELETE", `/v1/deployments/${inUse}`);
  assert.deepEqual((await api.call("POST", `${projectOf(theirs)}/assets/negotiate`, [hidden])).body, []);
});

Deno.test("what the operator does not trust, no tenant makes trusted", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("theirs");
  const path = `/v1/projects/${projectId}`;
  await api.call("PATCH", path, { untrusted: true });
  const caller = await callerOf(api, { role: "write", projectId });
  const refused = await caller("PATCH", path, { untrusted: false });
  assert.deepEqual([refused.status, refused.body.code], [403, "forbidden"]);
  assert.equal((await caller("PATCH", path, { untrusted: true, description: "shop" })).status, 200);
  assert.equal((await api.call("PATCH", path, { untrusted: false })).body.untrusted, false);
});
