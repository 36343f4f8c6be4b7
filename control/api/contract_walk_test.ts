/** Every operation of the reference document, what it may be asked and what it answers. */
import assert from "node:assert/strict";
import { issue } from "../certificates/testing/issue.ts";
import { TestDnsServer } from "../domains/testing/dns_server.ts";
import { conforms, type Operation, OPERATIONS, type Parameter, problems } from "./testing/contract.ts";
import { allowedBodies, exampleBody, forbiddenBodies } from "./testing/contract_bodies.ts";
import { type Answer, startTestApi, type TestApi } from "./testing/test_api.ts";

const UNKNOWN_UUID = "00000000-0000-4000-8000-000000000000";
const UNKNOWN_DEPLOYMENT = "zzzzzzzzzzzz";
const DOMAIN = "shop.example.com";

/** What there is to call. */
interface World {
  api: TestApi;
  projectId: string;
  /** Of a deployment that has succeeded and logged a line. */
  deploymentId: string;
  databaseId: string;
  /** Of a verified domain. */
  domainId: string;
  /** A project that is to be deleted, and so on. */
  spare(kind: "project" | "deployment" | "domain"): Promise<string>;
}

interface Case {
  /** The id in the path of a call that succeeds; asked for before each. */
  id(world: World): string | Promise<string>;
  /** A body for what the document's example cannot know. */
  body?(world: World, example: Record<string, unknown>): unknown;
  /** What is refused though the schema allows it. */
  refused?(world: World): Promise<{ id?: string; body?: unknown; code: string }>;
}

const organization: Case = { id: ({ api }) => api.organizationId };
const project: Case = { id: ({ projectId }) => projectId };
const deployment: Case = { id: ({ deploymentId }) => deploymentId };
const domain: Case = { id: ({ domainId }) => domainId };
const unverified = async ({ spare }: World) => ({ id: await spare("domain"), code: "domainNotVerified" });

const CASES: Readonly<Record<string, Case>> = {
  "get /organizations/{organizationId}": organization,
  "get /organizations/{organizationId}/analytics": organization,
  "get /organizations/{organizationId}/projects": organization,
  "post /organizations/{organizationId}/projects": {
    ...organization,
    refused: () => Promise.resolve({ body: { name: "shop" }, code: "projectNameTaken" }),
  },
  "get /organizations/{organizationId}/databases": organization,
  "post /organizations/{organizationId}/databases": organization,
  "patch /databases/{databaseId}": { id: ({ databaseId }) => databaseId },
  "get /projects/{projectId}": project,
  "patch /projects/{projectId}": project,
  "delete /projects/{projectId}": { id: ({ spare }) => spare("project") },
  "get /projects/{projectId}/analytics": project,
  "get /projects/{projectId}/deployments": project,
  "post /projects/{projectId}/deployments": { ...project, body: createBody },
  "post /deployments/{deploymentId}/redeploy": {
    ...deployment,
    body: ({ databaseId }, example) => "databases" in example ? withDatabase(example, databaseId) : example,
    refused: async ({ spare }) => ({ id: await spare("deployment"), code: "deploymentNotReady" }),
  },
  "get /deployments/{deploymentId}": deployment,
  "delete /deployments/{deploymentId}": { id: ({ spare }) => spare("deployment") },
  "get /deployments/{deploymentId}/build_logs": deployment,
  "get /deployments/{deploymentId}/app_logs": deployment,
  "get /organizations/{organizationId}/domains": organization,
  "post /organizations/{organizationId}/domains": {
    ...organization,
    body: (_, example) => ({ ...example, domain: `${crypto.randomUUID()}.example.com` }),
    refused: () => Promise.resolve({ body: { domain: DOMAIN }, code: "domainTaken" }),
  },
  "get /domains/{domainId}": domain,
  "patch /domains/{domainId}": {
    ...domain,
    body: ({ deploymentId }, example) => Object.keys(example).length === 0 ? { deploymentId } : example,
    refused: async (world) => ({ ...await unverified(world), body: { deploymentId: world.deploymentId } }),
  },
  "delete /domains/{domainId}": { id: ({ spare }) => spare("domain") },
  "post /domains/{domainId}/verify": { ...domain, refused: unverified },
  "post /domains/{domainId}/certificates": {
    ...domain,
    body: async (_, example) => {
      const { certificate, privateKey } = await issue({ names: [DOMAIN] });
      return { ...example, certificateChain: certificate, privateKey };
    },
    refused: () =>
      Promise.resolve({ body: { certificateChain: "x", privateKey: "x" }, code: "certificateInvalid" }),
  },
  "post /domains/{domainId}/certificates/provision": { ...domain, refused: unverified },
};

function withDatabase(example: Record<string, unknown>, databaseId: string): Record<string, unknown> {
  return example.databases === null ? example : { ...example, databases: { default: databaseId } };
}

/** The document's example names content and a database that are not here. */
async function createBody({ api, projectId, databaseId }: World, example: Record<string, unknown>) {
  const content = "content";
  const gitSha1 = "6b584e8ece562ebffc15d38808cd6b98fc3d97ea";
  await api.call("PUT", `/v1/projects/${projectId}/assets/${gitSha1}`, content);
  const assets = { ...example.assets as object, "images/cat2.png": { kind: "file", gitSha1 } };
  const { databases } = example;
  return { ...example, assets, ...(databases ? { databases: { default: databaseId } } : {}) };
}

async function makeWorld(api: TestApi, dns: TestDnsServer): Promise<World> {
  const { organizationId } = api;
  const projectId = await api.project("shop");
  const deploymentId = await api.deployment(projectId);
  api.succeed(deploymentId);
  api.logs.build.append(deploymentId, { level: "info", message: "Downloaded" });
  api.logs.app.append(deploymentId, [
    { time: "2030-08-01T00:00:00Z", level: "error", message: "foobar", region: "gcp-us-central1" },
  ]);
  const post = async (path: string, body: unknown) => (await api.call("POST", path, body)).body;
  const domains = `/v1/organizations/${organizationId}/domains`;
  const { id: domainId, token } = await post(domains, { domain: DOMAIN });
  dns.records.set(`_isola.${DOMAIN}`, { TXT: [`isola-verification=${token}`] });
  assert.equal((await api.call("POST", `/v1/domains/${domainId}/verify`)).status, 200);
  return {
    api,
    projectId,
    deploymentId,
    domainId,
    databaseId: (await post(`/v1/organizations/${organizationId}/databases`, {})).id,
    async spare(kind) {
      if (kind === "deployment") return await api.deployment(projectId);
      if (kind === "project") return await api.project(`spare-${crypto.randomUUID().slice(0, 8)}`);
      return (await post(domains, { domain: `${crypto.randomUUID()}.example.com` })).id;
    },
  };
}

Deno.test("every operation of the document answers as it says, and takes what it allows", async (test) => {
  await using dns = new TestDnsServer();
  await using api = await startTestApi({ nameServers: [dns.address] });
  const world = await makeWorld(api, dns);
  for (const operation of OPERATIONS) {
    const name = `${operation.method} ${operation.path}`;
    await test.step(
      name,
      () => walk(operation, world, CASES[name] ?? assert.fail("there is no case for it")),
    );
  }
  assert.equal(OPERATIONS.length, Object.keys(CASES).length);
});

async function walk(
  operation: Operation,
  world: World,
  { id, body = (_, example) => example, refused }: Case,
) {
  const { method, path, parameters } = operation;
  const query = requiredQuery(parameters);
  const call = async (expected: number, id: string, change: CallChange = {}): Promise<Answer> => {
    const url = `/v1${path.replace(/\{\w+\}/, id)}?${new URLSearchParams({ ...query, ...change.query })}`;
    const answer = await world.api.call(method.toUpperCase(), url, change.body, change.headers);
    const what = `${method} ${url} with ${JSON.stringify(change)}: ${JSON.stringify(answer.body)}`;
    assert.equal(answer.status, expected, what);
    conforms(method, path, answer);
    return answer;
  };
  const example = operation.body === null ? {} : exampleBody(operation.body);
  const valid = operation.body === null ? undefined : await body(world, example) as Record<string, unknown>;

  for (const given of operation.body === null ? [undefined] : allowedBodies(operation.body, valid!)) {
    const sent = given === undefined ? undefined : await body(world, given);
    if (operation.body !== null) assert.deepEqual(problems(operation.body, sent), []);
    const answer = await call(200, await id(world), { body: sent });
    if (isPaged(operation)) {
      assert.match(answer.headers.get("link")!, /rel="first"/);
    }
  }
  for (const [name, value] of parameters.flatMap(allowedValues)) {
    await call(200, await id(world), { query: { [name]: value }, body: valid });
  }
  if ("application/x-ndjson" in (operation.responses["200"]!.content ?? {})) {
    const past = { since: "2021-08-01T00:00:00Z" };
    await call(200, await id(world), { query: past, headers: { accept: "application/x-ndjson" } });
  }

  for (const wrong of operation.body === null ? [] : forbiddenBodies(operation.body, valid!)) {
    assert.notDeepEqual(problems(operation.body!, wrong), [], JSON.stringify(wrong));
    await call(400, await id(world), { body: wrong });
  }
  for (const [name, value] of parameters.flatMap(forbiddenValues)) {
    await call(400, await id(world), { query: { [name]: value }, body: valid });
  }
  await call(400, "no-id", { body: valid });
  if (refused !== undefined) {
    const { code, ...change } = await refused(world);
    const answer = await call(400, change.id ?? await id(world), { body: change.body ?? valid });
    assert.equal(answer.body.code, code);
  }
  await call(401, await id(world), { body: valid, headers: { authorization: "" } });
  const unknown = path.startsWith("/deployments") ? UNKNOWN_DEPLOYMENT : UNKNOWN_UUID;
  assert.match((await call(404, unknown, { body: valid })).body.code, /NotFound$/);
}

function isPaged({ responses }: Operation): boolean {
  return responses["200"]!.headers?.Link?.schema.$ref?.endsWith("/PaginationLinkHeader") ?? false;
}

interface CallChange {
  query?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
}

function requiredQuery(parameters: readonly Parameter[]): Record<string, string> {
  const required = parameters.filter((one) => one.in === "query" && one.required);
  return Object.fromEntries(required.map(({ name, example }) => [name, example!]));
}

/** The ends of a parameter's range, its example, and that it is not said. */
function allowedValues({ name, in: place, example, schema }: Parameter): [string, string][] {
  if (place === "path") return [];
  const values = [schema.minimum, schema.maximum, example, ...(schema.nullable ? [""] : [])];
  return values.filter((value) => value !== undefined).map((value) => [name, String(value)]);
}

function forbiddenValues({ name, in: place, schema }: Parameter): [string, string][] {
  if (place === "path" || name === "q" || name === "region") return [];
  const values = ["nonsense"];
  if (schema.minimum !== undefined) values.push(String(schema.minimum - 1));
  if (schema.maximum !== undefined) values.push(String(schema.maximum + 1));
  return values.map((value) => [name, value]);
}
