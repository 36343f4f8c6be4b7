import assert from "node:assert/strict";
import { appSource, serverForTests, until } from "./server.ts";

const suite = serverForTests();
const ECHO = appSource("echo.ts");

async function version(host: string): Promise<string> {
  const response = await suite.server.fetch(host);
  const text = await response.text();
  return response.ok ? JSON.parse(text).version : response.headers.get("x-isola-error") ?? text;
}

function deploy(project: string, VERSION: string, options: Record<string, unknown> = {}) {
  return suite.server.deploy(project, ECHO, { envVars: { VERSION }, ...options });
}

Deno.test("the first deployment is production, later ones are previews, each has a URL of its own for ever", async () => {
  const { server } = suite;
  const first = await deploy("urls", "1");
  assert.deepEqual(first.domains.toSorted(), [`urls-${first.id}.localhost`, "urls.localhost"]);
  const second = await deploy("urls", "2");
  assert.deepEqual(second.domains, [`urls-${second.id}.localhost`]);
  assert.deepEqual(
    [await version("urls"), await version(`urls-${first.id}`), await version(`urls-${second.id}`)],
    ["1", "1", "2"],
  );

  await server.api("POST", `/v1/deployments/${second.id}/promote`);
  assert.deepEqual([await version("urls"), await version(`urls-${first.id}`)], ["2", "1"]);
  await server.api("POST", `/v1/deployments/${first.id}/promote`);
  assert.deepEqual([await version("urls"), await version(`urls-${second.id}`)], ["1", "2"]);

  const third = await deploy("urls", "3", { production: true });
  assert.equal(await version("urls"), "3");
  assert.deepEqual(third.domains.toSorted(), [`urls-${third.id}.localhost`, "urls.localhost"]);
});

Deno.test("a failed build never becomes production, and its URL leads nowhere", async () => {
  const { server } = suite;
  await deploy("keeps", "1");
  const failed = await server.build("keeps", "throw new Error('not today')", { production: true });
  assert.equal(failed.status, "failed");
  assert.equal(await version("keeps"), "1");
  assert.equal(await version(`keeps-${failed.id}`), "DEPLOYMENT_NOT_FOUND");
  const refused = await server.call("POST", `/v1/deployments/${failed.id}/promote`);
  assert.equal(refused.status, 400);
  assert.equal((await refused.json()).code, "deploymentNotReady");
});

Deno.test("a domain goes to its deployment, is taken over in one step, and is detached", async () => {
  const { server } = suite;
  const first = await deploy("domains", "1");
  const second = await deploy("domains", "2");
  const domain = (id: string) => `/v1/deployments/${id}/domains/Shop.Example.com`;
  assert.equal(await version("shop.example.com"), "DEPLOYMENT_NOT_FOUND");
  await server.api("PUT", domain(first.id));
  assert.equal(await version("SHOP.example.com."), "1");
  const seen = new Set<string>();
  let done = false;
  const asking = (async () => {
    while (!done) seen.add(await version("shop.example.com"));
  })();
  await server.api("PUT", domain(second.id));
  assert.equal(await version("shop.example.com"), "2");
  done = true;
  await asking;
  assert([...seen].every((one) => one === "1" || one === "2"), [...seen].join());

  const refused = await server.call("DELETE", domain(first.id));
  assert.deepEqual([refused.status, (await refused.json()).code], [404, "domainNotFound"]);
  assert.equal(await version("shop.example.com"), "2");
  await server.api("DELETE", domain(second.id));
  assert.equal(await version("shop.example.com"), "DEPLOYMENT_NOT_FOUND");
});

Deno.test("a deployment that is created with domains has those and no other URL", async () => {
  const { id, domains } = await deploy("named", "1", { domains: ["a.example.com", "b.example.com"] });
  assert.deepEqual(domains.toSorted(), ["a.example.com", "b.example.com"]);
  assert.deepEqual([await version("a.example.com"), await version("b.example.com")], ["1", "1"]);
  assert.equal(await version("named"), "DEPLOYMENT_NOT_FOUND");
  assert.equal(await version(`named-${id}`), "DEPLOYMENT_NOT_FOUND");
});

Deno.test("nobody can attach a hostname of the platform", async () => {
  const { server } = suite;
  await deploy("victim", "1");
  const { id } = await deploy("attacker", "2");
  for (
    const domain of ["victim.localhost", "new.localhost", "localhost", "victim.localhost.", "a%00b.example"]
  ) {
    const response = await server.call("PUT", `/v1/deployments/${id}/domains/${domain}`);
    assert.equal(response.status, 400, domain);
    await response.body?.cancel();
  }
  assert.equal(await version("victim"), "1");
});

Deno.test("a deleted deployment is gone at once, its isolate ends, and the rest of the project goes on", async () => {
  const { server } = suite;
  const first = await deploy("deleted", "1");
  const second = await deploy("deleted", "2");
  await version(`deleted-${first.id}`);
  await version(`deleted-${second.id}`);
  await server.api("DELETE", `/v1/deployments/${second.id}`);
  assert.equal(await version(`deleted-${second.id}`), "DEPLOYMENT_NOT_FOUND");
  assert.equal(await version("deleted"), "1");
  await until("its isolate ends", async () => await server.isolate(second.id) === undefined);
  assert(await server.isolate(first.id));

  await server.api("DELETE", `/v1/projects/${await server.project("deleted")}`);
  assert.equal(await version("deleted"), "DEPLOYMENT_NOT_FOUND");
  assert.equal(await version(`deleted-${first.id}`), "DEPLOYMENT_NOT_FOUND");
  await until("its isolate ends", async () => await server.isolate(first.id) === undefined);
});

Deno.test("what is in flight in a deployment that is deleted is finished", async () => {
  const { server } = suite;
  const { id } = await server.deploy("finishes", appSource("life.ts"));
  const answered = server.text("finishes", "/sleep?ms=1500");
  await until("it is in flight", async () => (await server.isolate(id))?.inFlight === 1);
  await server.api("DELETE", `/v1/deployments/${id}`);
  assert.equal(await version("finishes"), "DEPLOYMENT_NOT_FOUND");
  assert.match(await answered, /"born":/);
  await until("its isolate ends", async () => await server.isolate(id) === undefined);
});

Deno.test("a renamed project has its new hostnames at once, and no longer the old ones", async () => {
  const { server } = suite;
  const { id } = await deploy("old-name", "1");
  await server.api("PATCH", `/v1/projects/${await server.project("old-name")}`, { name: "new-name" });
  assert.deepEqual([await version("new-name"), await version(`new-name-${id}`)], ["1", "1"]);
  assert.deepEqual(
    [await version("old-name"), await version(`old-name-${id}`)],
    ["DEPLOYMENT_NOT_FOUND", "DEPLOYMENT_NOT_FOUND"],
  );
});

Deno.test("a program sees its variables exactly as given, its identity, and nothing of the host", async () => {
  const { server } = suite;
  const envVars = {
    PLAIN: "a=b c",
    EMPTY: "",
    UNICODE: "grüße 🦕\u2028",
    LINES: "one\ntwo\r\n",
    QUOTES: `"'\`$HOME \\n`,
    LONG: "x".repeat(16 * 1024),
  };
  const { id } = await server.deploy(
    "environment",
    `import process from "node:process";
    export default { fetch: () => Response.json({ deno: Deno.env.toObject(), node: { ...process.env }, main: import.meta.main }) };`,
    { envVars },
  );
  const { deno, node, main } = JSON.parse(await server.text("environment"));
  const expected = { ...envVars, DENO_DEPLOYMENT_ID: id, DENO_REGION: "local", ISOLA_PROJECT: "environment" };
  assert.deepEqual(deno, expected);
  assert.deepEqual(node, expected);
  assert.equal(main, true);
});
