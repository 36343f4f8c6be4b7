import assert from "node:assert/strict";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { TestDnsServer } from "../control/domains/testing/dns_server.ts";
import { helloMessage, records } from "../runner/front/testing/hello.ts";
import { SClient } from "../runner/front/testing/s_client.ts";
import { LoggedProcess } from "./logged_process.ts";
import { rawRequest } from "./raw_http.ts";
import { appSource, ISOLA, serverForTests, type TestServer, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";
import { VisitorSocket } from "./visitor_socket.ts";

/** Certificates of the operator's own, besides those that the tests name. */
const MANY = 200;
const SWAPS = 30;
/** Between two requests of a visitor under load. */
const PAUSE_MS = 2;
const HELLO = `
  Deno.serve((request) => {
    const { pathname } = new URL(request.url);
    const headers = pathname === "/strict" ? { "strict-transport-security": "max-age=1" } : undefined;
    return new Response("hello " + pathname, { headers });
  });
`;

let ca: TestCa;
let dns: TestDnsServer;
/** Identifiers by name. */
const domains: Record<string, string> = {};
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  dns = new TestDnsServer();
  const names = ["*.apps.test", "exact.apps.test", "files.test"];
  for (let i = 0; i < MANY; i++) names.push(`name-${i}.test`);
  const certificates = [];
  for (const name of names) certificates.push(await ca.write([name]));
  return {
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
    config: { baseDomain: "apps.test", tls: { certificates }, dns: { servers: [dns.address] } },
  };
});

Deno.test.beforeAll(async () => {
  await suite.server.deploy("hello", HELLO);
  await suite.server.deploy("sockets", appSource("sockets.ts"));
  for (const [name, project] of [["shop.test", "hello"], ["chat.test", "sockets"], ["gone.test", "hello"]]) {
    domains[name!] = await addDomain(suite.server, name!, project!);
  }
  await dns[Symbol.asyncDispose]();
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

function open(serverName: string, protocols: string[] = []): Promise<TlsClient> {
  return TlsClient.open(suite.server.httpsPort, { serverName, ca: ca.certificate, protocols });
}

/** The answer to one GET on a connection of its own. */
async function get(hostname: string, path = "/"): Promise<string> {
  using client = await open(hostname);
  await client.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  return await client.receiveAll();
}

/** PEM of the certificate that a name is served with; `null` = the handshake failed. */
async function servedLeaf(serverName: string): Promise<string | null> {
  using client = new SClient(suite.server.httpsPort, ["-servername", serverName]);
  await client.end();
  const { output } = await client.finish();
  return leafOf(output);
}

function leafOf(text: string): string | null {
  return /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(text)?.[0] ?? null;
}

/** A domain of the tests' organization, verified by DNS, that leads to the production of `project`. */
async function addDomain(server: TestServer, name: string, project: string): Promise<string> {
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
  await server.api("PATCH", `/v1/domains/${id}`, { projectId: await server.project(project) });
  return id;
}

/** Uploads a certificate of a domain; returns it. */
async function upload(
  hostname: string,
  issued?: { chain: string; privateKey: string },
): Promise<string | null> {
  const { chain: certificateChain, privateKey } = issued ?? await ca.issue([hostname]);
  const path = `/v1/domains/${domains[hostname]}/certificates`;
  await suite.server.api("POST", path, { certificateChain, privateKey });
  return leafOf(certificateChain);
}

Deno.test("The server name picks the certificate among many, an exact one before a wildcard", async () => {
  for (let i = 0; i < MANY; i += 7) (await open(`name-${i}.test`))[Symbol.dispose]();
  for (const [name, file] of [["exact.apps.test", "exact.apps.test"], ["hello.apps.test", "any.apps.test"]]) {
    assert.equal(await servedLeaf(name!), leafOf(await Deno.readTextFile(`${ca.folder}/${file}.pem`)), name);
  }
  assert.match(await get("hello.apps.test"), /^HTTP\/1\.1 200 OK\r\n[^]*hello \/$/);
  assert.match(await get("none.apps.test"), /^HTTP\/1\.1 404 /);
});

Deno.test("An unknown server name is refused with unrecognized_name, a missing one with missing_extension", async () => {
  for (
    const [serverName, alert] of [
      ["unknown.test", 112],
      ["apps.test", 112],
      ["a.b.apps.test", 112],
      ["127.0.0.1", 112],
      [null, 109],
    ] as const
  ) {
    using client = await TlsClient.open(suite.server.httpsPort, null);
    await client.write(records(helloMessage({ serverName })));
    const received = [...await client.receiveAll()].map((char) => char.charCodeAt(0));
    assert.deepEqual(received, [21, 3, 3, 0, 2, 2, alert], `${serverName}`);
  }
});

Deno.test("Plain HTTP leads to HTTPS for names that have a certificate, and only there", async () => {
  const { httpPort, httpsPort } = suite.server;
  const ask = (host: string, line = "GET /a?b=c") =>
    rawRequest(httpPort, `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const location = async (host: string, line?: string) => {
    const { status, fields } = await ask(host, line);
    return [status, fields.find(([name]) => name === "location")?.[1]];
  };
  assert.deepEqual(await location("hello.apps.test"), [308, "https://hello.apps.test/a?b=c"]);
  assert.deepEqual(await location(`Hello.Apps.Test.:${httpPort}`), [
    308,
    `https://hello.apps.test:${httpsPort}/a?b=c`,
  ]);
  assert.deepEqual(await location("hello.apps.test", "POST //evil.test/"), [
    308,
    "https://hello.apps.test//evil.test/",
  ]);
  assert.deepEqual(await location("unknown.test"), [404, undefined]);
});

Deno.test("Over TLS browsers are told to keep to it, unless the app tells them something itself", async () => {
  const strict = (received: string) => [...received.matchAll(/^strict-transport-security: (.*)\r$/gmi)];
  assert.match(strict(await get("hello.apps.test"))[0]![1]!, /^max-age=\d+$/);
  assert.deepEqual(strict(await get("hello.apps.test", "/strict")).map(([, value]) => value), ["max-age=1"]);
  assert.equal(strict(await get("none.apps.test")).length, 1);
  const plain = await suite.server.fetch("hello.apps.test");
  assert.equal(plain.headers.get("strict-transport-security"), null);
  await plain.body?.cancel();
});

Deno.test("A WebSocket goes over TLS", async () => {
  const { httpsPort } = suite.server;
  await using socket = await VisitorSocket.open(httpsPort, "sockets.apps.test", "/hello", {
    ca: ca.certificate,
  });
  const { url } = JSON.parse(await socket.next() as string);
  assert.match(url, /^(wss|https):\/\/sockets\.apps\.test\/hello$/);
  for (const message of ["text", "x".repeat(100_000)]) {
    socket.send(message);
    assert.equal(await socket.next(), message);
  }
});

Deno.test("curl, node:http2 and Deno's fetch agree on HTTP/2 by ALPN, and on HTTP/1.1 where they have to", async () => {
  const { httpsPort } = suite.server;
  const url = `https://hello.apps.test:${httpsPort}/by`;
  for (const [flag, version] of [["--http2", "2"], ["--http1.1", "1.1"], ["--no-alpn", "1.1"]]) {
    const { stdout } = await new Deno.Command("curl", {
      args: [
        ...["-sS", flag!, "--cacert", ca.path, "--resolve", `hello.apps.test:${httpsPort}:127.0.0.1`],
        ...["-w", " %{http_version}", url],
      ],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), `hello /by ${version}`);
  }

  await using session = await Http2Visitor.open("hello.apps.test");
  assert.equal(session.protocol, "h2");
  assert.deepEqual(await session.get("/by"), { status: 200, body: "hello /by" });

  await using proxy = new ConnectProxy(httpsPort);
  for (const protocols of [{ http2: true }, { http2: false }]) {
    using client = Deno.createHttpClient({
      ...protocols,
      caCerts: [ca.certificate],
      proxy: { url: `http://127.0.0.1:${proxy.port}` },
    });
    const response = await fetch(url, { client });
    assert.equal(await response.text(), "hello /by");
  }
});

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
  await using session = await Http2Visitor.open(name);
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
    await until("the new certificate is served", async () => await servedLeaf(name) === leaf, 5000);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs < 1000, `${tookMs}ms until a certificate took effect`);
  }
  const counts = await load.end();
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > SWAPS, `${count} of ${kind}`);
});

Deno.test("Files that change on disk are taken up, and what cannot be used is not", async () => {
  const before = await servedLeaf("files.test");
  const { cert, key } = await ca.write(["files.test"]);
  const leaf = leafOf(await Deno.readTextFile(cert));
  assert.notEqual(leaf, before);
  await until("the new certificate is served", async () => await servedLeaf("files.test") === leaf, 10_000);
  await Deno.writeTextFile(key, "no key");
  await until(
    "the server says what is wrong",
    () => /Cannot .*files\.test\.key.*the one before is still served/.test(suite.server.output),
    10_000,
    () => suite.server.output,
  );
  assert.equal(await servedLeaf("files.test"), leaf);
});

Deno.test("The certificate of a domain that is removed is served no more", async () => {
  await upload("gone.test");
  assert.match(await get("gone.test"), /hello \/$/);
  using kept = await open("gone.test");
  await suite.server.api("DELETE", `/v1/domains/${domains["gone.test"]}`);
  const startedAt = performance.now();
  await until("it is refused", async () => await servedLeaf("gone.test") === null);
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

/** Visitors that ask again and again. */
class Load {
  readonly #counts: Record<string, number> = {};
  readonly #running: Promise<void>[] = [];
  #isEnding = false;

  add(kind: string, ask: () => Promise<void>): void {
    this.#counts[kind] = 0;
    const run = (async () => {
      while (!this.#isEnding) {
        await ask();
        this.#counts[kind]!++;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    })();
    run.catch(() => {});
    this.#running.push(run);
  }

  /** How often each was answered. Rejects if one was not. */
  async end(): Promise<Record<string, number>> {
    this.#isEnding = true;
    await Promise.all(this.#running);
    return this.#counts;
  }
}

/** The client of `node:http2`. */
class Http2Visitor implements AsyncDisposable {
  readonly #session: ClientHttp2Session;
  readonly #closed: Promise<void>;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    this.#closed = new Promise((resolve) => session.on("close", resolve));
  }

  static async open(hostname: string): Promise<Http2Visitor> {
    const session = connectHttp2(`https://${hostname}:${suite.server.httpsPort}`, {
      host: "127.0.0.1",
      servername: hostname,
      ca: ca.certificate,
    });
    await new Promise<void>((resolve, reject) => {
      session.on("connect", () => resolve());
      session.on("error", reject);
    });
    return new Http2Visitor(session);
  }

  get protocol(): string | undefined {
    return this.#session.alpnProtocol;
  }

  get(path: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ":path": path });
      const answer = { status: 0, body: "" };
      stream.on("response", (fields) => answer.status = Number(fields[":status"]));
      stream.on("data", (data) => answer.body += data);
      stream.on("end", () => resolve(answer));
      stream.on("error", reject);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.close();
    await this.#closed;
  }
}

/** Leads every CONNECT to one port of this machine: `fetch` cannot be told where a name leads. */
class ConnectProxy implements AsyncDisposable {
  readonly #target: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Promise<void>[] = [];
  readonly #accepting: Promise<void>;

  constructor(target: number) {
    this.#target = target;
    this.#accepting = this.#accept();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#connections);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) this.#connections.push(this.#connect(conn));
  }

  async #connect(client: Deno.TcpConn): Promise<void> {
    // The client sends nothing else before it is answered.
    await client.read(new Uint8Array(4096));
    await client.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    await Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  }
}
