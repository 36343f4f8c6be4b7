import assert from "node:assert/strict";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { appSource, serverForTests, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  const certificates = [await ca.write(["*.apps.test"])];
  return {
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
    config: { baseDomain: "apps.test", httpRedirect: "off", tls: { certificates } },
  };
});

Deno.test.beforeAll(async () => {
  await suite.server.deploy("echo", appSource("echo.ts"));
  await suite.server.deploy("wire", appSource("wire.ts"));
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

interface H2Response {
  status: number;
  headers: Record<string, unknown>;
  body: Uint8Array;
}

/** How a connection comes to HTTP/2. */
type Scheme = "http" | "https";

/** By prior knowledge, or by ALPN. */
function open(scheme: Scheme): ClientHttp2Session {
  const { httpPort, httpsPort } = suite.server;
  if (scheme === "http") return connect(`http://127.0.0.1:${httpPort}`);
  return connect(`https://127.0.0.1:${httpsPort}`, { servername: "echo.apps.test", ca: ca.certificate });
}

/** A connection, closed after `use`. */
async function session<T>(scheme: Scheme, use: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
  const client = open(scheme);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  client.on("close", resolve);
  try {
    return await use(client);
  } finally {
    client.close();
    await closed;
  }
}

/** A test of both ways. */
function http2Test(name: string, fn: (client: ClientHttp2Session, scheme: Scheme) => Promise<void>): void {
  for (const scheme of ["http", "https"] as const) {
    Deno.test(`${scheme}: ${name}`, () => session(scheme, (client) => fn(client, scheme)));
  }
}

function send(
  client: ClientHttp2Session,
  host: string,
  path: string,
  { method = "GET", body = [], headers = {} }: {
    method?: string;
    body?: Uint8Array[];
    headers?: Record<string, string>;
  } = {},
): Promise<H2Response> {
  return new Promise((resolve, reject) => {
    const stream = client.request({
      ":method": method,
      ":path": path,
      ":authority": `${host}.apps.test`,
      ...headers,
    });
    const chunks: Uint8Array[] = [];
    const response: H2Response = { status: 0, headers: {}, body: new Uint8Array() };
    stream.on("response", (fields) => {
      response.status = Number(fields[":status"]);
      response.headers = fields;
    });
    stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", async () => {
      response.body = await new Blob(chunks as BlobPart[]).bytes();
      resolve(response);
    });
    for (const chunk of body) stream.write(chunk);
    stream.end();
  });
}

http2Test(
  "a request over HTTP/2 arrives as it was sent, with or without a length",
  async (client, scheme) => {
    const body = new Uint8Array(100_000).map((_, i) => i % 251);
    for (const headers of [{}, { "content-length": "100000" }] as Record<string, string>[]) {
      const { status, body: said } = await send(client, "echo", "/a/b?c=d", {
        method: "PUT",
        body: [body.subarray(0, 10), body.subarray(10)],
        headers: { ...headers, cookie: "a=b", "x-custom": "yes", "x-isola-forged": "no" },
      });
      assert.equal(status, 200);
      const { method, url, headers: received, body: encoded } = JSON.parse(new TextDecoder().decode(said));
      assert.deepEqual([method, url], ["PUT", `${scheme}://echo.apps.test/a/b?c=d`]);
      const fields = Object.fromEntries(received);
      assert.deepEqual([fields.cookie, fields["x-custom"]], ["a=b", "yes"]);
      assert.equal(fields["x-isola-forged"], undefined);
      assert.deepEqual(Uint8Array.fromBase64(encoded), body);
    }
    const empty = JSON.parse(new TextDecoder().decode((await send(client, "echo", "/")).body));
    assert.equal(empty.body, "");
    assert(
      !empty.headers.some(([name]: [string]) => name === "transfer-encoding" || name === "content-length"),
    );
  },
);

http2Test("HEAD, 204, 304, many cookies and an encoded body pass over HTTP/2", async (client) => {
  const head = await send(client, "wire", "/head", { method: "HEAD" });
  assert.deepEqual([head.status, head.body.length, head.headers["content-length"]], [200, 0, "12"]);
  assert.deepEqual([(await send(client, "wire", "/nothing")).status], [204]);
  assert.equal((await send(client, "wire", "/etag")).headers.etag, '"v1"');
  const cookies = (await send(client, "wire", "/cookies")).headers["set-cookie"] as string[];
  assert.equal(cookies.length, 50);
  assert.equal((await send(client, "wire", "/encoded?format=br")).headers["content-encoding"], "br");
  const { headers } = await send(client, "wire", "/headers");
  for (const name of ["connection", "keep-alive", "x-hop", "transfer-encoding"]) {
    assert.equal(headers[name], undefined);
  }
});

http2Test("many streams of one connection are never mixed up", async (client) => {
  await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const body = new TextEncoder().encode(`${i} `.repeat(1 + (i * 7919) % 9000));
    const response = await send(client, "wire", "/mirror", { method: "POST", body: [body] });
    assert.equal(response.status, 200);
    assert.deepEqual(response.body, body, `stream ${i}`);
  }));
});

http2Test(
  "a stream that the visitor resets aborts the request in the app, and no other",
  async (client, scheme) => {
    const { server } = suite;
    const stream = client.request({ ":path": `/wait?reset-${scheme}`, ":authority": "wire.apps.test" });
    stream.on("error", () => {});
    await until("the app has it", async () => (await server.isolates()).some(({ inFlight }) => inFlight > 0));
    stream.close(constants.NGHTTP2_CANCEL);
    const aborted = () => server.text("wire.apps.test", "/aborted");
    await until("the app sees it", async () => (await aborted()).includes(`"?reset-${scheme}"`));
    assert.equal((await send(client, "wire", "/head")).status, 200);
  },
);

http2Test("an app that ends its stream with an error resets the visitor's", async (client) => {
  await assert.rejects(send(client, "wire", "/broken"));
  assert.equal((await send(client, "wire", "/head")).status, 200);
});
