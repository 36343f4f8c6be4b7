import assert from "node:assert/strict";
import { TestDnsServer } from "../control/domains/testing/dns_server.ts";
import { Http2Visitor } from "./http2_visitor.ts";
import { Load } from "./load.ts";
import { LoggedProcess } from "./logged_process.ts";
import { leafOf, servedLeaf } from "./served_leaf.ts";
import { appSource, ISOLA, serverForTests, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";
import { VisitorSocket } from "./visitor_socket.ts";

const SWAPS = 30;
/** The domains, and the projects that they lead to. */
const PROJECTS = { "shop.test": "hello", "chat.test": "sockets", "gone.test": "hello" } as const;

type Name = keyof typeof PROJECTS;

let ca: TestCa;
let dns: TestDnsServer;
/** Identifiers by name. */
const domains: Partial<Record<Name, string>> = {};
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  dns = new TestDnsServer();
  return {
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0", ISOLA_RUNNERS: "2" },
    config: { tls: { certificates: [await ca.write(["files.test"])] }, dns: { servers: [dns.address] } },
  };
});

Deno.test.beforeAll(async () => {
  const { server } = suite;
  await server.deploy("hello", `Deno.serve(({ url }) => new Response("hello " + new URL(url).pathname));`);
  await server.deploy("sockets", appSource("sockets.ts"));
  for (const name of Object.keys(PROJECTS) as Name[]) domains[name] = await addDomain(name);
  await dns[Symbol.asyncDispose]();
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

function open(serverName: string): Promise<TlsClient> {
  return TlsClient.open(suite.server.httpsPort, { serverName, ca: ca.certificate });
}

/** The answer to one GET on a connection of its own. */
async function get(hostname: string): Promise<string> {
  using client = await open(hostname);
  await client.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  return await client.receiveAll();
}

/** A domain of the tests' organization, verified by DNS, that leads to its project. */
async function addDomain(name: Name): Promise<string> {
  const { server } = suite;
  const [organization] = await server.api<{ id: string }[]>("GET", "/v1/organizations");
  const path = `/v1/organizations/${organization!.id}/domains`;
  interface Domain {
    id: string;
    dnsRecords: { type: string; name: string; content: string }[];
  }
  const { id, dnsRecords } = await server.api<Domain>("POST", path, { domain: name });
  const { name: owner, content } = dnsRecords.find(({ type }) => type === "TXT")!;
  dns.records.set(owner, { TXT: [content] });
  await server.api("POST", `/v1/domains/${id}/verify`);
  await server.api("PATCH", `/v1/domains/${id}`, { projectId: await server.project(PROJECTS[name]) });
  return id;
}

/** Uploads a certificate of a domain; returns it. */
async function upload(
  hostname: Name,
  issued?: { chain: string; privateKey: string },
): Promise<string | null> {
  const { chain: certificateChain, privateKey } = issued ?? await ca.issue([hostname]);
  const path = `/v1/domains/${domains[hostname]}/certificates`;
  await suite.server.api("POST", path, { certificateChain, privateKey });
  return leafOf(certificateChain);
}

Deno.test("Certificates are swapped under load without a failed handshake, request or WebSocket", async () => {
  const { server } = suite;
  const name = "shop.test";
  const issued = [];
  for (let i = 0; i < SWAPS; i++) {
    issued.push([await ca.issue([name]), await ca.issue(["chat.test"])] as const);
  }
  await upload("chat.test");
  await upload(name);
  await using socket = await VisitorSocket.open(server.httpsPort, "chat.test", "/", { ca: ca.certificate });

  const load = new Load();
  using kept = await open(name);
  await using session = await Http2Visitor.open({
    port: server.httpsPort,
    serverName: name,
    ca: ca.certificate,
  });
  load.add("new connections", async () => assert.match(await get(name), /hello \/$/));
  load.add("HTTP/1.1", async () => {
    kept.received = "";
    await kept.write(`GET /kept HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    assert.ok(await kept.receive(/\r\n\r\nhello \/kept$/));
  });
  load.add("HTTP/2", async () => assert.equal((await session.get("/h2")).body, "hello /h2"));
  load.add("WebSocket", async () => {
    socket.send("still there?");
    assert.equal(await socket.next(), "still there?");
  });
  for (const [forName, forChat] of issued) {
    const leaf = await upload(name, forName);
    await upload("chat.test", forChat);
    const startedAt = performance.now();
    await until(
      "the new certificate is served",
      async () => await servedLeaf(suite.server.httpsPort, name) === leaf,
      5000,
    );
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs < 1000, `${tookMs}ms until a certificate took effect`);
  }
  const counts = await load.end();
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > SWAPS, `${count} of ${kind}`);
});

Deno.test("Files that change on disk are taken up, and what cannot be used is not", async () => {
  const before = await servedLeaf(suite.server.httpsPort, "files.test");
  const { cert, key } = await ca.write(["files.test"]);
  const leaf = leafOf(await Deno.readTextFile(cert));
  assert.notEqual(leaf, before);
  await until(
    "the new certificate is served",
    async () => await servedLeaf(suite.server.httpsPort, "files.test") === leaf,
    10_000,
  );
  await Deno.writeTextFile(key, "no key");
  await until(
    "the server says what is wrong",
    () => /Cannot .*files\.test\.key.*the one before is still served/.test(suite.server.output),
    10_000,
    () => suite.server.output,
  );
  assert.equal(await servedLeaf(suite.server.httpsPort, "files.test"), leaf);
});

Deno.test("The certificate of a domain that is removed is served no more", async () => {
  await upload("gone.test");
  assert.match(await get("gone.test"), /hello \/$/);
  using kept = await open("gone.test");
  await suite.server.api("DELETE", `/v1/domains/${domains["gone.test"]}`);
  const startedAt = performance.now();
  await until("it is refused", async () => await servedLeaf(suite.server.httpsPort, "gone.test") === null);
  assert.ok(performance.now() - startedAt < 2000);
  await kept.write("GET / HTTP/1.1\r\nHost: gone.test\r\nConnection: close\r\n\r\n");
  assert.match(await kept.receiveAll(), /^HTTP\/1\.1 404 /);
});

Deno.test("A server whose own files cannot be used does not start, and says which and why", async () => {
  const { cert } = await ca.write(["bad.test"]);
  const other = await ca.write(["other.test"]);
  const dataDir = await Deno.makeTempDir({ prefix: "isola-test-" });
  const cases: [paths: { cert: string; key: string }, said: RegExp][] = [
    [{ cert, key: other.key }, /Cannot .*bad\.test\.pem".*key.*match|Cannot .*bad\.test\.pem".*key/],
    [{ cert, key: `${dataDir}/none.key` }, /Cannot .*none\.key" cannot be read/],
  ];
  for (const [paths, said] of cases) {
    await Deno.writeTextFile(`${dataDir}/isola.yaml`, JSON.stringify({ tls: { certificates: [paths] } }));
    await using process = new LoggedProcess([...ISOLA, "serve", "--config", `${dataDir}/isola.yaml`], {
      env: {
        ISOLA_DATA_DIR: dataDir,
        ISOLA_HTTP_ADDR: "127.0.0.1:0",
        ISOLA_HTTPS_ADDR: "127.0.0.1:0",
        ISOLA_CONTROL_ADDR: "127.0.0.1:0",
      },
    });
    await until("it ends", () => !process.isRunning, 30_000, () => process.output);
    assert.match(process.output, said);
    assert.doesNotMatch(process.output, /^\s+at /m);
    assert.equal((await process.kill("SIGTERM")).code, 1);
  }
  await Deno.remove(dataDir, { recursive: true });
});
