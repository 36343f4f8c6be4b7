import assert from "node:assert/strict";
import { connect } from "node:http2";
import type { AccessBatch, AccessEntry } from "../contract.ts";
import { AppIsolate } from "../testing/app_isolate.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { startTestRunner, type TestRunner, until } from "../testing/test_runner.ts";
import { AccessLog, MAX_WAITING } from "./access_log.ts";

const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const LOGGED = { accessLog: true };
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

/** The entries of a runner, as soon as there are so many. */
async function entriesOf(test: TestRunner, count: number): Promise<AccessEntry[]> {
  await until(() => test.access.length >= count);
  return test.access;
}

/** What a visitor receives of one request, to the end of the connection. */
async function exchange(port: number, ...lines: string[]): Promise<string> {
  using visitor = await RawVisitor.send(port, `${lines.join("\r\n")}\r\nconnection: close\r\n\r\n`);
  return await visitor.receiveAll();
}

Deno.test("each request of a route with an access log is told when it is over", async () => {
  await using app = AppIsolate.serving(async (request) =>
    new Response(await request.text(), { status: request.method === "GET" ? 200 : 201 })
  );
  await using test = await startTestRunner({ acquire: app.socketPath, route: LOGGED });
  const before = Date.now();
  const traceparent = `traceparent: 00-${TRACE_ID}-b7ad6b7169203331-01`;
  const get = ["GET /a/b?token=secret HTTP/1.1", "host: SHOP.example:8000", traceparent];
  const got = await exchange(test.port, ...get);
  const body = "x".repeat(1000);
  await (await fetch(`${test.origin}/\u00e9`, { method: "POST", body })).text();
  const [first, second] = await entriesOf(test, 2) as [AccessEntry, AccessEntry];
  const { timeMs, durationMs, ...rest } = first;
  assert.deepEqual(rest, {
    method: "GET",
    host: "shop.example",
    path: "/a/b",
    protocol: "HTTP/1.1",
    status: 200,
    requestBytes: get.join("\r\n").length + "\r\nconnection: close\r\n\r\n".length,
    responseBytes: got.length,
    deploymentId: "d1",
    isolateId: "i1",
    errorCode: null,
    requestId: null,
    address: "127.0.0.1",
    traceId: TRACE_ID,
    complete: true,
    cold: true,
  });
  assert.ok(timeMs >= before && timeMs <= Date.now() && durationMs > 0 && durationMs < 10_000);
  assert.equal(second.path, "/%C3%A9");
  assert.equal(second.status, 201);
  assert.equal(second.cold, false);
  assert.ok(second.requestBytes > 1000 && second.responseBytes > 1000);
});

Deno.test("nothing is told of a route without an access log, nor of a hostname that leads nowhere", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  await exchange(test.port, "GET / HTTP/1.1", "host: shop.example");
  const logged = { deploymentId: "d2", maxConcurrency: 1, requestTimeoutMs: 0, accessLog: true };
  test.runner.changeRoutes(new Map([["logged.example", logged]]));
  await test.runner.usage();
  await exchange(test.port, "GET / HTTP/1.1", "host: nowhere.example");
  await exchange(test.port, "GET / HTTP/1.1", "host: logged.example");
  const [entry] = await entriesOf(test, 1);
  assert.equal(entry!.deploymentId, "d2");
  assert.equal(test.access.length, 1);
});

Deno.test("an error page is an entry with its code and request id, and one instead of a start has no isolate", async () => {
  await using test = await startTestRunner({
    acquire: () => ({ code: "BOOT_FAILURE" }),
    route: LOGGED,
  });
  const got = await exchange(test.port, "GET / HTTP/1.1", "host: shop.example");
  await exchange(test.port, "TRACE / HTTP/1.1", "host: shop.example");
  const [failed, refused] = await entriesOf(test, 2) as [AccessEntry, AccessEntry];
  assert.equal(failed.status, 502);
  assert.equal(failed.errorCode, "BOOT_FAILURE");
  assert.equal(failed.requestId, /x-isola-request-id: (\S+)/.exec(got)![1]);
  assert.deepEqual([failed.isolateId, failed.cold, failed.complete], [null, true, true]);
  assert.deepEqual([refused.status, refused.errorCode, refused.cold], [400, "BAD_REQUEST", false]);
});

Deno.test("a response that breaks off is an aborted one, whoever ended it", async () => {
  await using isolate = new RawIsolate(async (connection) => {
    const head = await connection.readUntil("\r\n\r\n");
    if (head!.includes("/silent")) return void await connection.readUntil("never");
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
    if (head!.includes("/stays")) await connection.readUntil("never");
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: LOGGED });
  await exchange(test.port, "GET /breaks HTTP/1.1", "host: shop.example");
  {
    using visitor = await RawVisitor.send(test.port, "GET /stays HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    await visitor.receive(/hello/);
  }
  {
    using _visitor = await RawVisitor.send(test.port, "GET /silent HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    await until(() => isolate.accepted === 3);
  }
  const entries = await entriesOf(test, 3);
  const ends = entries.map(({ path, status, complete, errorCode }) => [path, status, complete, errorCode]);
  assert.deepEqual(ends, [
    ["/breaks", 200, false, "BAD_RESPONSE"],
    ["/stays", 200, false, null],
    ["/silent", null, false, null],
  ]);
});

Deno.test("a WebSocket is one entry when it is over, with what went both ways", async () => {
  await using app = AppIsolate.serving((request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`${data}${data}`);
    return response;
  });
  await using test = await startTestRunner({ acquire: app.socketPath, route: LOGGED });
  const socket = new WebSocket(`ws://localhost:${test.port}/live?token=secret`);
  const { promise: answered, resolve } = Promise.withResolvers<string>();
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  socket.onopen = () => socket.send("x".repeat(1000));
  socket.onmessage = ({ data }) => resolve(data);
  socket.onclose = () => close();
  assert.equal((await answered).length, 2000);
  assert.deepEqual(test.access, []);
  socket.close();
  await closed;
  const [entry] = await entriesOf(test, 1);
  assert.deepEqual([entry!.protocol, entry!.status, entry!.path, entry!.complete], [
    "WebSocket",
    101,
    "/live",
    true,
  ]);
  assert.ok(entry!.requestBytes > 1000 && entry!.responseBytes > 2000);
});

Deno.test("each stream of an HTTP/2 connection is an entry", async () => {
  await using app = AppIsolate.serving(() => new Response("hello"));
  await using test = await startTestRunner({ acquire: app.socketPath, route: LOGGED });
  const session = connect(`http://127.0.0.1:${test.port}`);
  try {
    await Promise.all(["/one", "/two"].map((path) =>
      new Promise<void>((resolve, reject) => {
        const stream = session.request({ ":authority": "shop.example", ":path": `${path}?q` });
        stream.on("error", reject).on("end", resolve).resume();
      })
    ));
  } finally {
    await new Promise<void>((resolve) => session.close(resolve));
  }
  const entries = await entriesOf(test, 2);
  assert.deepEqual(entries.map(({ path }) => path).sort(), ["/one", "/two"]);
  assert.ok(entries.every(({ protocol, status }) => protocol === "HTTP/2" && status === 200));
});

Deno.test("a drain tells of every request before it is over", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: LOGGED });
  for (let i = 0; i < 5; i++) await exchange(test.port, "GET / HTTP/1.1", "host: shop.example");
  await test.runner.drain(1000);
  assert.equal(test.access.length, 5);
});

Deno.test("entries that nobody takes wait up to a bound, and what is missing is counted by deployment", async () => {
  const sent: AccessBatch[] = [];
  using log = new AccessLog((batch) => sent.push(batch));
  const entry = (deploymentId: string) => ({ deploymentId }) as AccessEntry;
  log.add(entry("a"));
  await until(() => sent.length === 1);
  for (let count = 0; count < MAX_WAITING + 7; count++) log.add(entry("a"));
  log.add(entry("b"));
  assert.equal(sent.length, 1, "the first batch was not taken yet");
  log.taken();
  assert.deepEqual([...sent[1]!.dropped], [
    ["a", { count: 7, last: entry("a") }],
    ["b", { count: 1, last: entry("b") }],
  ]);
  log[Symbol.dispose]();
  const batches = sent.slice(1);
  assert.equal(batches.reduce((count, { entries }) => count + entries.length, 0), MAX_WAITING);
  assert.ok(batches.every(({ entries }) => entries.length <= 256));
});
