import assert from "node:assert/strict";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { appSource, serverForTests, startTestServer, type TestServer, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";

const MIB = 1024 * 1024;
const NAME = "wire.apps.test";

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
  const tls = { certificates: [await ca.write([NAME])] };
  return { env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" }, config: { baseDomain: "apps.test", tls } };
}

/** A connection of `node:http2`, closed when it is disposed. */
class Connection implements AsyncDisposable {
  readonly #session: ClientHttp2Session;
  readonly closed: Promise<void>;
  /** Codes of the GOAWAYs. */
  readonly goaways: number[] = [];

  constructor({ httpsPort }: TestServer = suite.server) {
    const session = connect(`https://127.0.0.1:${httpsPort}`, { servername: NAME, ca: ca.certificate });
    session.on("goaway", (code) => this.goaways.push(code));
    session.on("error", () => {});
    this.closed = new Promise((resolve) => session.on("close", resolve));
    this.#session = session;
  }

  request(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = this.#session.request({ ":path": path, ":authority": NAME, ...headers });
    stream.on("error", () => {});
    return stream;
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
    const stream = this.request(path, headers);
    stream.end();
    return await answerTo(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    await this.closed;
  }
}

/** The whole answer; rejects if it is cut. */
function answerTo(stream: ClientHttp2Stream): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const answer = { status: 0, body: "" };
    stream.on("response", (fields) => answer.status = Number(fields[":status"]));
    stream.on("data", (data) => answer.body += data);
    stream.on("end", () => resolve(answer));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error(`The stream was closed with code ${stream.rstCode}`)));
  });
}

function nextData(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => stream.once("data", (data) => resolve(String(data))));
}

Deno.test("Events arrive one by one, and a body is answered while it is sent", async () => {
  await using connection = new Connection();
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
  await using connection = new Connection();
  const upload = connection.request("/count", { ":method": "POST" });
  const counted = answerTo(upload);
  upload.end(new Uint8Array(16 * MIB));
  const download = connection.get(`/bytes?n=${16 * MIB}`);
  for (let i = 0; i < 20; i++) assert.equal((await connection.get("/head")).body, "twelve bytes");
  assert.equal((await counted).body, String(16 * MIB));
  assert.equal((await download).body.length, 16 * MIB);
});

Deno.test("Who reads slowly stops its own app, and nobody else's", async () => {
  await using connection = new Connection();
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
  await using connection = new Connection();
  const upload = connection.request("/early", { ":method": "POST" });
  const answered = answerTo(upload);
  upload.write(new Uint8Array(MIB));
  assert.deepEqual(await answered, { status: 413, body: "too large" });
  upload.close();
  assert.equal((await connection.get("/head")).status, 200);
});

Deno.test("Heads that are too large, methods and names that lead nowhere are answered, and the connection goes on", async () => {
  await using connection = new Connection();
  const large = { "x-large": "x".repeat(70 * 1024) };
  assert.equal((await connection.get("/head", large)).status, 431);
  assert.equal((await connection.get(`/${"x".repeat(40 * 1024)}`)).status, 414);
  assert.equal((await connection.get("/head", { ":method": "TRACE" })).status, 400);
  assert.equal((await connection.get("/head", { ":authority": "other.apps.test" })).status, 421);
  assert.equal((await connection.get("/head")).status, 200);
});

Deno.test("A server that is told to end tells its visitors, and finishes what is in flight", async () => {
  await using server = await startTestServer(await options());
  await server.deploy("wire", appSource("wire.ts"));
  await using connection = new Connection(server);
  await using idle = new Connection(server);
  assert.equal((await idle.get("/head")).status, 200);
  const parts = connection.request("/parts");
  parts.end();
  const answered = answerTo(parts);
  await nextData(parts);
  const ended = server.kill("SIGTERM");
  await idle.closed;
  assert.deepEqual(idle.goaways.slice(0, 1), [constants.NGHTTP2_NO_ERROR]);
  // Streams that begin before the visitor has heard of it are served.
  await connection.get("/release").catch(() => {});
  await answered.catch(() => {});
  await connection.closed;
  assert.equal((await ended).code, 0);
});
