import assert from "node:assert/strict";
import { connect } from "node:http2";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { appSource, serverForTests, until } from "./server.ts";
import { VisitorSocket } from "./visitor_socket.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const DRIP_EVERY_MS = 100;
const HOST = "Host: wire.localhost\r\n";

const config = Deno.makeTempFileSync({ prefix: "isola-test-", suffix: ".yaml" });
Deno.writeTextFileSync(
  config,
  `visitors:
  headerTimeoutMs: 2000
  keepAliveTimeoutMs: 2000
  silenceTimeoutMs: 4000
  writeTimeoutMs: 4000
  minBodyBytesPerSecond: 1000
  bodyGraceMs: 2000
  maxHeaderBytes: 8192
  maxBodyBytes: ${32 * MIB}
  maxRequestsPerConnection: 5
`,
);
const suite = serverForTests({ args: ["--config", config] });

Deno.test.beforeAll(async () => {
  await suite.server.deploy("wire", appSource("wire.ts"));
  await suite.server.deploy("sockets", appSource("sockets.ts"));
});
Deno.test.afterAll(() => Deno.removeSync(config));

function send(request: string): Promise<RawVisitor> {
  return RawVisitor.send(suite.server.httpPort, request);
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\n${HOST}\r\n`;
}

function post(path: string, bytes: number): string {
  return `POST ${path} HTTP/1.1\r\n${HOST}Content-Length: ${bytes}\r\n\r\n`;
}

/** Does something again and again until it is disposed. What fails is over. */
function repeat(action: () => unknown): Disposable {
  const timer = setInterval(async () => {
    try {
      await action();
    } catch {
      clearInterval(timer);
    }
  }, DRIP_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Sends `request` and then, again and again, `drop`, and reads what comes until the connection is cut. */
async function untilCut(request: string, drop = ""): Promise<string> {
  using visitor = await send(request);
  using _dripping = repeat(() => visitor.write(drop));
  return await visitor.receiveAll();
}

/** Whoever is slow for no reason, until all have been cut. */
async function slowOnesAreCut(): Promise<void> {
  const aborted = () => suite.server.text("wire", "/aborted");
  using unread = await send(get("/endless?unread"));
  const [nothing, half, dripped, kept, body, silent] = await Promise.all([
    untilCut(""),
    untilCut("GET / HTTP/1.1\r\nHost:"),
    untilCut("GET / HTTP/1.1\r\nHost: wire.localhost\r\n", "x: y\r\n"),
    untilCut(get("/head"), "\r\n"),
    untilCut(post("/count", 1000), "x"),
    untilCut(get("/wait?silent")),
    until("a response that nobody takes is cut", async () => (await aborted()).includes("cancel?unread")),
  ]);
  assert.deepEqual([nothing, half, dripped, body, silent], ["", "", "", "", ""]);
  assert.match(kept, /^HTTP\/1\.1 200 OK\r\n[^]*twelve bytes$/);
  assert.match(await aborted(), /"\?silent"/);
  assert.equal(await unread.skip(Infinity), false);
}

Deno.test("who is slow for no reason is cut in time, who is slow for one is served meanwhile", async () => {
  const { server } = suite;
  await using socket = await VisitorSocket.open(server.httpPort, "sockets.localhost", "/");
  using events = await send(get("/ticking?kept"));
  using steady = await send(post("/count", MIB));
  let steadyBytes = 0;
  using sending = repeat(() => {
    steadyBytes += KIB;
    return steady.write(new Uint8Array(KIB));
  });
  using reader = await send(get(`/bytes?n=${1000 * MIB}`));
  let isReading = false;
  let hasEnded = false;
  using _reading = repeat(async () => {
    if (isReading) return;
    isReading = true;
    hasEnded ||= !await reader.skip(MIB);
    isReading = false;
  });

  await slowOnesAreCut();

  assert.equal(hasEnded, false);
  socket.send("still there?");
  assert.equal(await socket.next(), "still there?");
  events.received = "";
  assert.ok(await events.receive(/data: tick\n\n/));
  sending[Symbol.dispose]();
  await steady.write(new Uint8Array(MIB - steadyBytes));
  assert.ok(await steady.receive(/\r\n\r\n1048576$/), steady.received);
});

Deno.test("a slow stream of HTTP/2 is reset, and the others of its connection go on", async () => {
  const client = connect(`http://127.0.0.1:${suite.server.httpPort}`);
  const ask = (path: string, method = "GET") => {
    const stream = client.request({ ":method": method, ":path": path, ":authority": "wire.localhost" });
    stream.on("error", () => {});
    return stream;
  };
  const events = ask("/ticking?h2");
  let ticks = 0;
  events.on("data", () => ticks++);
  const silent = ask("/wait?h2");
  const dripped = ask("/count", "POST");
  using _dripping = repeat(() => dripped.destroyed || dripped.write("x"));
  const reset = [silent, dripped].map((stream) => new Promise((resolve) => stream.on("close", resolve)));
  await Promise.all(reset);
  assert.notEqual(silent.rstCode, 0);
  assert.notEqual(dripped.rstCode, 0);
  const before = ticks;
  await until("events go on", () => ticks > before);
  events.close();
  const closed = new Promise<void>((resolve) => client.on("close", resolve));
  client.close();
  await closed;
});

Deno.test("sizes and the number of requests are bounded as the operator says", async () => {
  using long = await send(`${get("/head").slice(0, -2)}x: ${"x".repeat(9000)}\r\n\r\n`);
  assert.match(await long.receiveAll(), /^HTTP\/1\.1 431 [^]*HEADER_TOO_LARGE/);
  using large = await send(post("/count", 32 * MIB + 1));
  assert.match(await large.receiveAll(), /^HTTP\/1\.1 413 [^]*BODY_TOO_LARGE/);
  using many = await send(get("/head").repeat(10));
  const answers = (await many.receiveAll()).split("twelve bytes").slice(0, -1);
  assert.deepEqual(answers.map((answer) => answer.includes("connection: close")), [
    ...Array(4).fill(false),
    true,
  ]);
});
