import assert from "node:assert/strict";
import { type ClientHttp2Stream, constants } from "node:http2";
import { answerTo, Http2Visitor } from "./http2_visitor.ts";
import { appSource, serverForTests, startTestServer, type TestServer, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { VisitorSocket } from "./visitor_socket.ts";

const MIB = 1024 * 1024;
const NAME = "wire.apps.test";
const SOCKETS = "sockets.apps.test";

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  return await options();
});
Deno.test.beforeAll(async () => {
  await suite.server.deploy("wire", appSource("wire.ts"));
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

async function options() {
  const tls = { certificates: [await ca.write([NAME, SOCKETS])] };
  const visitors = { maxHeaderBytes: 8192, maxUriBytes: 4096 };
  return { env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" }, config: { baseDomain: "apps.test", tls, visitors } };
}

function open({ httpsPort }: TestServer = suite.server): Promise<Http2Visitor> {
  return Http2Visitor.open({ port: httpsPort, serverName: NAME, ca: ca.certificate });
}

function nextData(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => stream.once("data", (data) => resolve(String(data))));
}

Deno.test("Events arrive one by one, and a body is answered while it is sent", async () => {
  await using connection = await open();
  const events = connection.request("/parts");
  events.end();
  assert.equal(await nextData(events), "data: one\n\n");
  const second = nextData(events);
  await connection.get("/release");
  assert.equal(await second, "data: two\n\n");

  const talk = connection.request("/talk", { ":method": "POST" });
  for (const word of ["one", "two", "three"]) {
    const answered = nextData(talk);
    talk.write(word);
    assert.equal(await answered, word);
  }
  talk.end();
  await new Promise((resolve) => talk.once("close", resolve));
});

Deno.test("Large bodies go both ways whole, side by side with small ones", async () => {
  await using connection = await open();
  const upload = connection.request("/count", { ":method": "POST" });
  const counted = answerTo(upload);
  upload.end(new Uint8Array(16 * MIB));
  const download = connection.get(`/bytes?n=${16 * MIB}`);
  for (let i = 0; i < 20; i++) assert.equal((await connection.get("/head")).body, "twelve bytes");
  assert.equal((await counted).body, String(16 * MIB));
  assert.equal((await download).body.length, 16 * MIB);
});

Deno.test("Who reads slowly stops its own app, and nobody else's", async () => {
  await using connection = await open();
  const slow = connection.request(`/bytes?n=${512 * MIB}`);
  slow.end();
  await new Promise((resolve) => slow.once("response", resolve));
  slow.pause();
  let produced = -1;
  await until("it stands still", async () => {
    const before = produced;
    produced = JSON.parse((await connection.get("/produced")).body);
    return produced === before;
  });
  assert.ok(produced < 64 * MIB, `${produced} bytes were produced for nobody`);
  slow.close(constants.NGHTTP2_CANCEL);
});

Deno.test("An app that answers early ends the upload, and the connection goes on", async () => {
  await using connection = await open();
  const upload = connection.request("/early", { ":method": "POST" });
  const answered = answerTo(upload);
  upload.write(new Uint8Array(MIB));
  assert.deepEqual(await answered, { status: 413, body: "too large" });
  upload.close();
  assert.equal((await connection.get("/head")).status, 200);
});

Deno.test("Heads that are too large, methods and names that lead nowhere are answered, and the connection goes on", async () => {
  await using connection = await open();
  assert.equal((await connection.get("/head", { "x-large": "x".repeat(9000) })).status, 431);
  assert.equal((await connection.get(`/${"x".repeat(5000)}`)).status, 414);
  assert.equal((await connection.get("/head", { ":method": "TRACE" })).status, 400);
  assert.equal((await connection.get("/head", { ":authority": "other.apps.test" })).status, 421);
  assert.equal((await connection.get("/head")).status, 200);
});

Deno.test("A server that is told to end tells its visitors, and finishes what is in flight", async () => {
  await using server = await startTestServer(await options());
  const { id } = await server.deploy("wire", appSource("wire.ts"));
  await server.deploy("sockets", appSource("sockets.ts"));
  await using socket = await VisitorSocket.open(server.httpsPort, SOCKETS, "/", { ca: ca.certificate });
  await using idle = await open(server);
  assert.equal((await idle.get("/head")).status, 200);
  const { httpsPort } = server;
  const download = new Deno.Command("curl", {
    args: [
      ...["-sS", "--http2", "--cacert", ca.path, "--resolve", `${NAME}:${httpsPort}:127.0.0.1`],
      ...["--limit-rate", "8M", "-o", "/dev/null", "-w", "%{http_version} %{size_download}"],
      `https://${NAME}:${httpsPort}/bytes?n=${16 * MIB}`,
    ],
  }).output();
  await until("it is in flight", async () => (await server.isolate(id))?.inFlight === 1);
  const startedAt = performance.now();
  const ended = server.kill("SIGTERM");
  await idle.closed;
  assert.equal((await socket.closed).code, 1001);
  assert.deepEqual(idle.goaways.slice(0, 1), [constants.NGHTTP2_NO_ERROR]);
  await assert.rejects(open(server));
  const { stdout, stderr } = await download;
  assert.equal(new TextDecoder().decode(stdout), `2 ${16 * MIB}`, new TextDecoder().decode(stderr));
  assert.equal((await ended).code, 0);
  assert.ok(performance.now() - startedAt < 8000, "It waited for more than what was in flight");
});
