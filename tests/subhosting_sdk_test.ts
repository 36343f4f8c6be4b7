/** The official client of the API, unchanged, through the life of a project. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
// @ts-types="./subhosting.d.ts"
import Subhosting from "subhosting";
import { TestDnsServer } from "../control/domains/testing/dns_server.ts";
import { startTestServer, type TestServer, until } from "./server.ts";

const MAIN = `
Deno.serve(async (request) => {
  const { pathname } = new URL(request.url);
  console.log("asked for", pathname);
  if (pathname === "/env") return Response.json({ a: Deno.env.get("A"), b: Deno.env.get("B"), c: Deno.env.get("C") });
  return new Response(await Deno.readFile("." + pathname));
});
`;
const PIXEL = new Uint8Array([0, 255, 128, 10, 13]);
const HOUR_MS = 3_600_000;

const gitSha1 = (text: string) =>
  createHash("sha1").update(`blob ${new TextEncoder().encode(text).length}\0${text}`).digest("hex");

/** The client as its users make it: its address and token are in the environment. */
function clientFor(server: TestServer): Subhosting {
  const variables = { SUBHOSTING_BASE_URL: `${server.controlUrl}/v1`, DEPLOY_ACCESS_TOKEN: server.token };
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    return new Subhosting();
  } finally {
    for (const name of Object.keys(variables)) Deno.env.delete(name);
  }
}

async function succeeded(client: Subhosting, id: string): Promise<Subhosting.Deployment> {
  const lines: string[] = [];
  let deployment = await client.deployments.get(id);
  await until("the build ends", async () => {
    deployment = await client.deployments.get(id);
    return deployment.status !== "pending";
  }, 60_000);
  for (const { message } of await client.deployments.buildLogs.get(id)) lines.push(message);
  assert.equal(deployment.status, "success", lines.join("\n"));
  return deployment;
}

Deno.test("the official client makes, changes, reads and deletes all that it knows of", async (test) => {
  await using dns = new TestDnsServer();
  await using server = await startTestServer({ config: { dns: { servers: [dns.address] } } });
  const client = clientFor(server);
  const [{ id: organizationId }] = await server.api<[{ id: string }]>("GET", "/v1/organizations");
  const project = await client.organizations.projects.create(organizationId, {
    name: "sdk",
    description: null,
  });
  const visit = async (deployment: Subhosting.Deployment, path: string) => {
    const response = await server.fetch(deployment.domains![0]!, path);
    assert.equal(response.status, 200);
    return await response.bytes();
  };
  const env = async (deployment: Subhosting.Deployment) =>
    JSON.parse(new TextDecoder().decode(await visit(deployment, "/env")));
  let first!: Subhosting.Deployment;

  await test.step("organizations and projects", async () => {
    assert.equal((await client.organizations.get(organizationId)).id, organizationId);
    const renamed = await client.projects.update(project.id, { name: "sdk-app", description: "An app" });
    assert.deepEqual(await client.projects.get(project.id), renamed);
    const other = await client.organizations.projects.create(organizationId, {});
    const { data, response } = await client.organizations.projects
      .list(organizationId, { limit: 1, sort: "name", order: "desc" }).withResponse();
    assert.equal(data.length, 1);
    assert.match(response.headers.get("link")!, /page=2>; rel="next"/);
    await client.projects.delete(other.id);
    await assert.rejects(client.projects.get(other.id), Subhosting.NotFoundError);
    await assert.rejects(
      client.organizations.projects.create(organizationId, { name: "sdk-app" }),
      Subhosting.BadRequestError,
    );
  });

  await test.step("a deployment of text, bytes and links, and one of what was uploaded before", async () => {
    const databases = { default: (await client.organizations.databases.create(organizationId, {})).id };
    const created = await client.projects.deployments.create(project.id, {
      entryPointUrl: "main.ts",
      importMapUrl: null,
      lockFileUrl: null,
      assets: {
        "main.ts": { kind: "file", content: MAIN, encoding: "utf-8" },
        "images/pixel.bin": { kind: "file", content: PIXEL.toBase64(), encoding: "base64" },
        "link.bin": { kind: "symlink", target: "images/pixel.bin" },
      },
      envVars: { A: "1", B: "2" },
      databases,
      description: "first",
    });
    first = await succeeded(client, created.id);
    assert.deepEqual([first.description, first.databases], ["first", databases]);
    assert.deepEqual([await visit(first, "/images/pixel.bin"), await visit(first, "/link.bin")], [
      PIXEL,
      PIXEL,
    ]);
    assert.deepEqual(await env(first), { a: "1", b: "2" });

    const again = await client.projects.deployments.create(project.id, {
      entryPointUrl: "main.ts",
      assets: {
        "main.ts": { kind: "file", gitSha1: gitSha1(MAIN) },
        "new.txt": { kind: "file", content: "new" },
      },
      envVars: {},
    });
    const second = await succeeded(client, again.id);
    assert.equal(new TextDecoder().decode(await visit(second, "/new.txt")), "new");
    const listed = await client.projects.deployments.list(project.id, { order: "desc" });
    assert.deepEqual(listed.map(({ id }) => id), [second.id, first.id]);
    await client.deployments.delete(second.id);
    await assert.rejects(client.deployments.get(second.id), Subhosting.NotFoundError);
  });

  await test.step("a redeployment with variables merged and removed, which is not built again", async () => {
    const created = await client.deployments.redeploy(first.id, {
      env_vars: { A: "one", B: null, C: "3" },
      description: "second",
    });
    assert.notEqual(created.id, first.id);
    const redeployed = await succeeded(client, created.id);
    const buildLog = await client.deployments.buildLogs.get(created.id);
    assert.deepEqual(buildLog.map(({ message }) => message), [
      "Not built again: it was, from the same files",
    ]);
    assert.deepEqual(await env(redeployed), { a: "one", c: "3" });
    assert.deepEqual(await env(first), { a: "1", b: "2" });
    assert.deepEqual(await visit(redeployed, "/link.bin"), PIXEL);
    assert.deepEqual([redeployed.description, redeployed.databases], ["second", first.databases]);

    await client.deployments.delete(first.id);
    const third = await succeeded(client, (await client.deployments.redeploy(redeployed.id, {})).id);
    assert.deepEqual(await env(third), { a: "one", c: "3" });
    first = third;
  });

  await test.step("a domain, from its registration to its deletion", async () => {
    const created = await client.organizations.domains.create(organizationId, { domain: "shop.example.com" });
    await assert.rejects(client.domains.verify(created.id), Subhosting.BadRequestError);
    const { name, content } = created.dnsRecords.find(({ type }) => type === "TXT")!;
    dns.records.set(name, { TXT: [content] });
    await client.domains.verify(created.id);
    await client.domains.update(created.id, { deploymentId: first.id });
    const domain = await client.domains.get(created.id);
    assert.deepEqual([domain.isValidated, domain.deploymentId], [true, first.id]);
    assert.equal(await server.text("shop.example.com", "/env"), JSON.stringify({ a: "one", c: "3" }));
    assert.equal((await client.organizations.domains.list(organizationId)).length, 1);
    await client.domains.update(created.id, {});
    await client.domains.delete(created.id);
    await assert.rejects(client.domains.get(created.id), Subhosting.NotFoundError);
  });

  await test.step("logs, past by pages and live", async () => {
    const past = { since: new Date(Date.now() - HOUR_MS).toISOString(), limit: 1, order: "asc" };
    await visit(first, "/env");
    await until("two lines are there", async () => {
      return (await client.deployments.appLogs.get(first.id, { ...past, limit: 2 })).length === 2;
    });
    const page = await client.deployments.appLogs.get(first.id, past).withResponse();
    const cursor = /cursor=([^&>]+)/.exec(page.response.headers.get("link")!)![1]!;
    const next = await client.deployments.appLogs.get(first.id, {
      ...past,
      cursor: decodeURIComponent(cursor),
    });
    assert.deepEqual([page.data.length, next.length], [1, 1]);

    const accept = { headers: { accept: "application/x-ndjson" } };
    const live = await client.deployments.appLogs.get(first.id, {}, accept).asResponse();
    await visit(first, "/link.bin");
    for await (const lines of live.body!) {
      assert.match(new TextDecoder().decode(lines), /"message":"asked for \/link\.bin/);
      break;
    }
  });

  await test.step("analytics", async () => {
    const range = () => ({
      since: new Date(Date.now() - HOUR_MS).toISOString(),
      until: new Date(Date.now() + HOUR_MS / 4).toISOString(),
    });
    const requests = ({ fields, values }: Subhosting.Analytics) => {
      const column = fields.findIndex(({ name }) => name === "requestCount");
      return values.reduce((sum, row) => sum + Number(row[column]), 0);
    };
    await until("requests are counted", async () => {
      return requests(await client.projects.analytics.get(project.id, range())) > 0;
    });
    assert.ok(requests(await client.organizations.analytics.get(organizationId, range())) > 0);
  });

  await test.step("its end", async () => {
    await client.projects.delete(project.id);
    assert.match(await server.text("sdk-app"), /DEPLOYMENT_NOT_FOUND/);
    await assert.rejects(client.deployments.get(first.id), Subhosting.NotFoundError);
  });
});
