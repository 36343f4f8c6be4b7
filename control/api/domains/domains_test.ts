import assert from "node:assert/strict";
import { TestDnsServer } from "../../domains/testing/dns_server.ts";
import { startTestApi, type TestApi, type TestApiOptions } from "../testing/test_api.ts";

/** The API with a name server that knows every token of the domains registered through `register`. */
async function startBench(options: TestApiOptions = {}) {
  const dns = new TestDnsServer();
  const api = await startTestApi({ nameServers: [dns.address], ...options });
  return {
    api,
    dns,
    /** Registers a domain, verifiable unless told otherwise; returns the path of its resource. */
    async register(domain: string, isVerifiable = true): Promise<string> {
      const { status, body } = await api.call("POST", `/v1/organizations/${api.organizationId}/domains`, {
        domain,
      });
      assert.equal(status, 200, JSON.stringify(body));
      const name = `_isola.${body.domain.replace(/^\*\./, "")}`;
      if (isVerifiable) dns.records.set(name, { TXT: [`isola-verification=${body.token}`] });
      return `/v1/domains/${body.id}`;
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await dns[Symbol.asyncDispose]();
    },
  };
}

async function succeeded(api: TestApi, projectId: string): Promise<string> {
  const id = await api.deployment(projectId);
  api.succeed(id);
  return id;
}

/** A certificate of its own, and its key. */
async function selfSigned(...names: string[]): Promise<{ certificateChain: string; privateKey: string }> {
  const dir = await Deno.makeTempDir({ prefix: "isola-certificate-" });
  try {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        .concat("-subj", "/CN=test", "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`)}`)
        .concat("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"),
      cwd: dir,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return {
      certificateChain: await Deno.readTextFile(`${dir}/cert.pem`),
      privateKey: await Deno.readTextFile(`${dir}/key.pem`),
    };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a name is registered as the DNS spells it, once, and not under the platform's own", async () => {
  await using bench = await startBench();
  const { api } = bench;
  const domains = `/v1/organizations/${api.organizationId}/domains`;
  const register = (domain: unknown) => api.call("POST", domains, { domain });
  const cases: [string, string][] = [
    ["Shop.Example.COM.", "shop.example.com"],
    ["*.Example.com", "*.example.com"],
    ["münchen.example", "xn--mnchen-3ya.example"],
  ];
  for (const [given, domain] of cases) {
    const { status, body } = await register(given);
    assert.deepEqual([status, body.domain, body.isValidated], [200, domain, false]);
    assert.deepEqual(body.provisioningStatus, { code: "pending" });
    assert.deepEqual(body.dnsRecords, [
      { type: "A", name: domain, content: "203.0.113.5" },
      { type: "AAAA", name: domain, content: "2001:db8::5" },
      {
        type: "TXT",
        name: `_isola.${domain.replace("*.", "")}`,
        content: `isola-verification=${body.token}`,
      },
    ]);
    for (const absent of ["projectId", "deploymentId"]) assert.ok(!(absent in body));
  }
  const taken = await register("shop.example.com");
  assert.deepEqual([taken.status, taken.body.code], [400, "domainTaken"]);
  const refusals: [unknown, RegExp][] = [
    [
      "localhost",
      /"domain": "localhost" must be a hostname, such as "shop\.example\.com" or "\*\.example\.com"/,
    ],
    ["*.com", /must be a hostname/],
    ["a.*.example.com", /must be a hostname/],
    ["203.0.113.5", /must be a hostname/],
    ["a\n.example.com", /must be a hostname/],
    ["a\0.example.com", /must be a hostname/],
    ["-a.example.com", /must be a hostname/],
    ["*.*.example.com", /must be a hostname/],
    ["https://shop.example.com", /must be a hostname/],
    ["x".repeat(64) + ".example", /must be a hostname/],
    ["", /"domain"/],
    [1, /"domain"/],
    ["isola.test", /"isola\.test" must not be "isola\.test" or under it/],
    ["a.isola.test", /must not be "isola\.test" or under it/],
    ["*.isola.test", /must not be "isola\.test" or under it/],
  ];
  for (const [domain, message] of refusals) {
    const { status, body } = await register(domain);
    assert.equal(status, 400, String(domain));
    assert.match(body.message, message);
  }
  assert.equal((await register("notisola.test")).status, 200);

  const page = await api.call("GET", `${domains}?sort=domain&order=desc&limit=2&q=example`);
  assert.deepEqual(page.body.map(({ domain }: { domain: string }) => domain), [
    "xn--mnchen-3ya.example",
    "shop.example.com",
  ]);
  assert.match(page.headers.get("link")!, /page=2>; rel="next"/);
});

Deno.test("what needs a verified domain verifies it first, and says what is missing", async () => {
  await using bench = await startBench();
  const { api, dns } = bench;
  const path = await bench.register("shop.example.com", false);
  const { body: { token } } = await api.call("GET", path);
  const refused = await api.call("POST", `${path}/verify`);
  assert.deepEqual([refused.status, refused.body.code], [400, "domainNotVerified"]);
  assert.match(
    refused.body.message,
    /there is no TXT record at "_isola\.shop\.example\.com", and .* has no address/,
  );
  assert.ok(refused.body.message.includes(`"isola-verification=${token}"`));
  assert.equal((await api.call("GET", path)).body.isValidated, false);

  dns.records.set("shop.example.com", { A: ["203.0.113.5"] });
  assert.equal((await api.call("POST", `${path}/certificates/provision`)).status, 200);
  assert.equal((await api.call("GET", path)).body.isValidated, true);
  dns.records.clear();
  assert.equal(api.woken, 0);
  assert.equal((await api.call("POST", `${path}/verify`)).status, 200);
  assert.equal(api.woken, 1);
});

Deno.test("a domain is attached to a deployment or to production, moved in one step, and detached", async () => {
  await using bench = await startBench();
  const { api } = bench;
  const projectId = await api.project("shop");
  const first = await succeeded(api, projectId);
  const second = await succeeded(api, projectId);
  const path = await bench.register("shop.example.com");
  const attach = async (body: unknown) => {
    const { status, body: answer } = await api.call("PATCH", path, body);
    assert.equal(api.unrouted, 0);
    return [status, answer.code ?? answer];
  };
  const hosts = () => api.store.routes().hostnames.map(({ deploymentId }) => deploymentId);
  assert.deepEqual(await attach({ deploymentId: second }), [200, ""]);
  assert.deepEqual(hosts(), [second]);
  assert.deepEqual(await attach({ projectId }), [200, ""]);
  assert.deepEqual(hosts(), [first]);
  await api.call("POST", `/v1/deployments/${second}/promote`);
  assert.deepEqual(hosts(), [second]);
  const { body } = await api.call("GET", path);
  assert.deepEqual([body.projectId, body.deploymentId], [projectId, second]);
  assert.ok((await api.call("GET", `/v1/deployments/${second}`)).body.domains.includes("shop.example.com"));
  for (const detaching of [{ deploymentId: null }, {}]) {
    assert.deepEqual(await attach({ projectId }), [200, ""]);
    assert.deepEqual(hosts(), [second]);
    assert.deepEqual(await attach(detaching), [200, ""]);
    assert.deepEqual(hosts(), []);
    assert.deepEqual(await attach(detaching), [200, ""]);
  }

  const pending = await api.deployment(projectId);
  assert.deepEqual(await attach({ deploymentId: pending }), [400, "deploymentNotReady"]);
  assert.deepEqual(await attach({ deploymentId: "aaaaaaaaaaaa" }), [404, "deploymentNotFound"]);
  assert.deepEqual(await attach({ projectId: "x" }), [404, "projectNotFound"]);
  assert.deepEqual(await attach({ projectId, deploymentId: first }), [400, "badRequest"]);
  const wildcard = await bench.register("*.example.com");
  assert.equal((await api.call("PATCH", wildcard, { projectId })).status, 200);
  assert.ok(api.store.routes().hostnames.some(({ hostname }) => hostname === "*.example.com"));
  const { domains, urls } = (await api.call("GET", `/v1/deployments/${second}`)).body;
  assert.ok(domains.includes("*.example.com"));
  assert.ok(!urls.some((url: string) => url.includes("*")));
});

Deno.test("a certificate of one's own is checked, kept and told of, and goes with its domain", async () => {
  await using bench = await startBench();
  const { api } = bench;
  const path = await bench.register("shop.example.com");
  const other = await api.call("POST", `${path}/certificates`, await selfSigned("other.example.com"));
  assert.deepEqual([other.status, other.body.code], [400, "certificateInvalid"]);
  assert.match(other.body.message, /does not cover "shop\.example\.com"/);
  const missing = await api.call("POST", `${path}/certificates`, { privateKey: "x" });
  assert.match(missing.body.message, /"certificateChain"/);

  const removed: string[] = [];
  api.store.certificates.onChanged((change) => removed.push(...change.removed));
  const put = await api.call("POST", `${path}/certificates`, await selfSigned("shop.example.com"));
  assert.deepEqual([put.status, put.body], [200, ""]);
  const { body } = await api.call("GET", path);
  assert.deepEqual([body.provisioningStatus, body.isValidated], [{ code: "manual" }, true]);
  const [kept] = api.store.certificates.all();
  assert.deepEqual(body.certificates, [{
    cipher: "ec",
    expiresAt: kept!.expiresAt,
    createdAt: kept!.createdAt,
    updatedAt: kept!.updatedAt,
  }]);
  assert.ok(!JSON.stringify(body).includes("PRIVATE"));

  await api.call("PATCH", path, { projectId: await api.project("shop") });
  assert.equal((await api.call("DELETE", path)).status, 200);
  assert.deepEqual(removed, [kept!.id]);
  assert.equal(api.store.hostnames.target("shop.example.com"), null);
  assert.equal(api.unrouted, 0);
});

Deno.test("an order that fails is answered with the reason", async () => {
  await using bench = await startBench();
  const { api } = bench;
  const path = await bench.register("shop.example.com");
  assert.equal((await api.call("POST", `${path}/certificates/provision`)).status, 200);
  api.provisioningProblem = "the CA could not reach shop.example.com";
  const { status, body } = await api.call("POST", `${path}/certificates/provision`);
  assert.deepEqual([status, body], [400, {
    code: "provisioningFailed",
    message: 'Cannot get a certificate for "shop.example.com": the CA could not reach shop.example.com',
  }]);
  assert.equal(api.provisioned.length, 2);
});

Deno.test("where no certificates are ordered, an order is refused with how to turn that on", async () => {
  await using bench = await startBench({ acme: false });
  const path = await bench.register("shop.example.com");
  const { status, body } = await bench.api.call("POST", `${path}/certificates/provision`);
  assert.deepEqual([status, body.code], [400, "acmeOff"]);
  assert.match(body.message, /Set tls\.acme in isola\.yaml/);
});

Deno.test("a domain of another organization is not to be seen, and what that attached not to be detached", async () => {
  await using bench = await startBench();
  const { api } = bench;
  api.store.database.run("INSERT INTO organizations VALUES ('zz', 'other', '9999', '9999')");
  const foreign = api.store.domains.create({ organizationId: "zz", domain: "theirs.example.com" });
  const { organizationId } = api;
  const bound = { role: "write", organizationId, projectId: null } as const;
  const { text } = api.store.tokens.create({ ...bound, name: "mine", expiresAt: null });
  const { status, body } = await api.call("GET", `/v1/domains/${foreign.id}`, undefined, {
    authorization: `Bearer ${text}`,
  });
  assert.deepEqual([status, body.code], [404, "domainNotFound"]);
  const { id } = api.store.projects.create({ organizationId: "zz", name: "theirs", description: "" });
  api.store.hostnames.attachToProduction(id, "shop.example.com");
  const path = await bench.register("shop.example.com", false);
  assert.ok(!("projectId" in (await api.call("GET", path)).body));
  assert.equal((await api.call("DELETE", path)).status, 200);
  assert.equal(api.store.hostnames.target("shop.example.com")?.projectId, id);
});

Deno.test("a hostname that another organization has is not to be had, neither by a deployment nor by a project's new name", async () => {
  await using bench = await startBench();
  const { api } = bench;
  const { store } = api;
  store.database.run("INSERT INTO organizations VALUES ('zz', 'other', '9999', '9999')");
  const theirs = store.projects.create({ organizationId: "zz", name: "theirs", description: "" });
  store.hostnames.attachToProduction(theirs.id, "attached.example.com");
  const verified = store.domains.create({ organizationId: "zz", domain: "verified.example.com" });
  const names = ["attached.example.com", "verified.example.com"];
  store.domains.markValidated(verified.id);

  const projectId = await api.project("mine");
  const assets = { "main.ts": { kind: "file", content: "1" } };
  for (const name of names) {
    const created = await api.call("POST", `/v1/projects/${projectId}/deployments`, {
      entryPointUrl: "main.ts",
      assets,
      envVars: {},
      domains: [name],
    });
    assert.deepEqual([created.status, created.body.code], [400, "domainTaken"]);
  }
  const deploymentId = await api.deployment(projectId, { domains: ["{project.name}.example.com"] });
  api.succeed(deploymentId);
  assert.deepEqual(store.hostnames.of(deploymentId), ["mine.example.com"]);
  for (const name of names) {
    const put = await api.call("PUT", `/v1/deployments/${deploymentId}/domains/${name}`);
    assert.deepEqual([put.status, put.body.code], [400, "domainTaken"]);
    await api.call("PATCH", `/v1/projects/${projectId}`, { name: name.split(".")[0] });
    assert.deepEqual(store.hostnames.of(deploymentId), ["mine.example.com"]);
  }
  // Who proves that it is theirs gets it, whoever had attached it.
  const path = await bench.register("attached.example.com");
  assert.equal((await api.call("PATCH", path, { deploymentId })).status, 200);
  assert.deepEqual(store.hostnames.of(deploymentId), ["attached.example.com", "mine.example.com"]);
  store.hostnames.attachToProduction(theirs.id, "attached.example.com");
  assert.equal(
    (await api.call("PUT", `/v1/deployments/${deploymentId}/domains/attached.example.com`)).status,
    200,
  );
});

Deno.test("what another organization lets lead here is proven by a record, not by where it leads", async () => {
  await using bench = await startBench();
  const { api, dns } = bench;
  api.store.database.run("INSERT INTO organizations VALUES ('zz', 'other', '9999', '9999')");
  for (const domain of ["*.example.com", "example.net"]) {
    const { id } = api.store.domains.create({ organizationId: "zz", domain });
    api.store.domains.markValidated(id);
  }
  const theirs = api.store.projects.create({ organizationId: "zz", name: "theirs", description: "" });
  api.store.hostnames.attachToProduction(theirs.id, "example.org");
  for (const domain of ["shop.example.com", "a.shop.example.net", "example.org"]) {
    const path = await bench.register(domain, false);
    dns.records.set(domain, { A: ["203.0.113.5"] });
    const refused = await api.call("POST", `${path}/verify`);
    assert.deepEqual([refused.status, refused.body.code], [400, "domainNotVerified"]);
    assert.doesNotMatch(refused.body.message, /let the domain lead here/);
    const { token } = (await api.call("GET", path)).body;
    dns.records.set(`_isola.${domain}`, { TXT: [`isola-verification=${token}`] });
    assert.equal((await api.call("POST", `${path}/verify`)).status, 200);
  }
});
