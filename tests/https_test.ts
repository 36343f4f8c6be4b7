import assert from "node:assert/strict";
import { helloMessage, records } from "../runner/front/testing/hello.ts";
import { Http2Visitor } from "./http2_visitor.ts";
import { rawRequest } from "./raw_http.ts";
import { leafOf, servedLeaf } from "./served_leaf.ts";
import { appSource, serverForTests } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";
import { VisitorSocket } from "./visitor_socket.ts";

/** Certificates of the operator's own, besides those that the tests name. */
const MANY = 200;
const HELLO = `
  Deno.serve((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/pieces") {
      const pieces = async function* () {
        for (let i = 0; i < 4; i++) {
          yield new Uint8Array(1000);
          await new Promise((resolve) => setTimeout(resolve));
        }
      };
      return new Response(ReadableStream.from(pieces()));
    }
    const headers = pathname === "/strict" ? { "strict-transport-security": "max-age=1" } : undefined;
    return new Response("hello " + pathname, { headers });
  });
`;

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  const names = ["*.apps.test", "exact.apps.test"];
  for (let i = 0; i < MANY; i++) names.push(`name-${i}.test`);
  const certificates = [];
  for (const name of names) certificates.push(await ca.write([name]));
  return {
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
    config: { baseDomain: "apps.test", tls: { certificates } },
  };
});

Deno.test.beforeAll(async () => {
  await suite.server.deploy("hello", HELLO);
  await suite.server.deploy("sockets", appSource("sockets.ts"));
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

function open(serverName: string): Promise<TlsClient> {
  return TlsClient.open(suite.server.httpsPort, { serverName, ca: ca.certificate });
}

/** The answer to one GET on a connection of its own. */
async function get(hostname: string, path = "/"): Promise<string> {
  using client = await open(hostname);
  await client.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  return await client.receiveAll();
}

Deno.test("The server name picks the certificate among many, an exact one before a wildcard", async () => {
  for (let i = 0; i < MANY; i += 7) (await open(`name-${i}.test`))[Symbol.dispose]();
  for (const [name, file] of [["exact.apps.test", "exact.apps.test"], ["hello.apps.test", "any.apps.test"]]) {
    assert.equal(
      await servedLeaf(suite.server.httpsPort, name!),
      leafOf(await Deno.readTextFile(`${ca.folder}/${file}.pem`)),
      name,
    );
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

Deno.test("What an app streams piece by piece is not held back", async () => {
  using client = await open("hello.apps.test");
  const times = [];
  for (let i = 0; i < 21; i++) {
    client.received = "";
    const startedAt = performance.now();
    await client.write("GET /pieces HTTP/1.1\r\nHost: hello.apps.test\r\n\r\n");
    assert.ok(await client.receive(/\r\n0\r\n\r\n$/));
    times.push(performance.now() - startedAt);
  }
  const medianMs = times.sort((a, b) => a - b)[10]!;
  // Without TCP_NODELAY somewhere on the way the second piece waits 40 ms for an acknowledgement.
  assert.ok(medianMs < 30, `${medianMs}ms`);
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

  await using session = await Http2Visitor.open({
    port: httpsPort,
    serverName: "hello.apps.test",
    ca: ca.certificate,
  });
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
