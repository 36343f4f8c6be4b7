import assert from "node:assert/strict";
import { residentBytes } from "./processes.ts";
import { appSource, serverForTests, until } from "./server.ts";
import { type RefusedError, VisitorSocket, type VisitorSocketOptions } from "./visitor_socket.ts";

const suite = serverForTests({ env: { ISOLA_IDLE_TIMEOUT_MS: "500" } });
const MIB = 1024 * 1024;

Deno.test.beforeAll(async () => {
  await suite.server.deploy("sockets", appSource("sockets.ts"));
});

function open(path: string, options: VisitorSocketOptions = {}, host = "sockets.localhost") {
  return VisitorSocket.open(suite.server.httpPort, host, path, options);
}

async function lastClosed(): Promise<{ code: number; reason: string; wasClean: boolean } | undefined> {
  return JSON.parse(await suite.server.text("sockets", "/closed")).at(-1);
}

Deno.test("path, query and headers of the handshake arrive, and the app's headers come back", async () => {
  await using socket = await open("/hello?a=b&c=%20", {
    headers: {
      cookie: "a=b; c=d",
      authorization: "Bearer x",
      "x-isola-forged": "1",
      "x-forwarded-host": "evil",
    },
    origin: "http://page.example",
  });
  const { url, headers } = JSON.parse(String(await socket.next()));
  const header = (name: string) => headers.find(([field]: [string]) => field === name)?.[1];
  assert.equal(url, "http://sockets.localhost/hello?a=b&c=%20");
  assert.equal(header("cookie"), "a=b; c=d");
  assert.equal(header("authorization"), "Bearer x");
  assert.equal(header("origin"), "http://page.example");
  assert.equal(header("x-forwarded-host"), "sockets.localhost");
  assert.equal(header("x-isola-forged"), undefined);
  assert.equal(header("cdn-loop"), "isola");
  assert.deepEqual(socket.headers["set-cookie"], ["session=1"]);
});

Deno.test("the app chooses the subprotocol, or none", async () => {
  await using chosen = await open("/?protocol=v2", { protocols: ["v1", "v2"] });
  assert.equal(chosen.protocol, "v2");
  chosen.send("works");
  assert.equal(await chosen.next(), "works");
  await using none = await open("/");
  assert.equal(none.protocol, "");
});

Deno.test("text and binary messages of every size come back whole and in order", async () => {
  await using socket = await open("/");
  const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, MIB, 16 * MIB];
  for (const size of sizes) {
    const bytes = new Uint8Array(size).map((_, i) => i % 251);
    socket.send(bytes);
    const binary = await socket.next();
    assert(binary instanceof Uint8Array && binary.length === size, `binary message of ${size} bytes`);
    assert(binary.every((byte, i) => byte === i % 251), `content of ${size} bytes`);
    const text = "ü".repeat(size / 2);
    socket.send(text);
    assert(await socket.next() === text, `text of ${size} bytes`);
  }
  for (let i = 0; i < 1000; i++) socket.send(`message ${i}`);
  for (let i = 0; i < 1000; i++) assert.equal(await socket.next(), `message ${i}`);
});

Deno.test("the app's close code and reason reach the visitor", async () => {
  const socket = await open("/");
  socket.send("close");
  assert.deepEqual(await socket.closed, { code: 4321, reason: "because Ü" });
  const silent = await open("/");
  silent.send("close without a code");
  // 1005: a close frame without a code (RFC 6455 §7.4.1); Deno's own sends 1000.
  assert([1000, 1005].includes((await silent.closed).code));
});

Deno.test("the visitor's close code and reason reach the app, and so does a cut connection", async () => {
  const closing = async (end: (socket: VisitorSocket) => void, code: number) => {
    const socket = await open("/");
    end(socket);
    await until(`the app sees ${code}`, async () => (await lastClosed())?.code === code);
    await socket.closed;
    return await lastClosed();
  };
  assert.equal((await closing((socket) => socket.close(4999, "enough Ä"), 4999))?.reason, "enough Ä");
  await closing((socket) => socket.close(1000, "done"), 1000);
  await closing((socket) => socket.close(), 1005);
  // What Deno tells a server whose peer is gone without a close frame.
  assert.equal((await closing((socket) => socket.terminate(), 0))?.wasClean, false);
});

Deno.test("an app that refuses answers the visitor itself", async () => {
  await assert.rejects(open("/refuse"), (error: RefusedError) => {
    assert.deepEqual([error.status, error.body, error.headers["x-why"]], [403, "members only", "not you"]);
    return true;
  });
});

Deno.test("an unknown host and a program without WebSockets refuse the handshake", async () => {
  await assert.rejects(open("/", {}, "nobody.localhost"), (error: RefusedError) => {
    assert.deepEqual([error.status, error.headers["x-isola-error"]], [404, "DEPLOYMENT_NOT_FOUND"]);
    return true;
  });
  await suite.server.deploy("plain", "Deno.serve(() => new Response('plain'))");
  await assert.rejects(open("/", {}, "plain.localhost"), { status: 200, body: "plain" });
});

Deno.test("fifty WebSockets at once are never mixed up", async () => {
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open("/")));
  await Promise.all(sockets.map(async (socket, i) => {
    for (let round = 0; round < 10; round++) {
      socket.send(`${i}/${round}`);
      assert.equal(await socket.next(), `${i}/${round}`);
    }
    await socket[Symbol.asyncDispose]();
  }));
});

Deno.test("a visitor who does not read does not fill the server's memory, and then gets everything", async () => {
  const { server } = suite;
  await using socket = await open("/flood");
  socket.pause();
  const before = residentBytes(server.pid);
  let peak = 0;
  for (let i = 0; i < 50; i++) {
    await server.text("sockets", "/closed");
    peak = Math.max(peak, residentBytes(server.pid));
  }
  socket.resume();
  for (let i = 0; i < 64; i++) {
    const message = await socket.next();
    assert(message instanceof Uint8Array && message.length === MIB && message[0] === i);
  }
  assert(peak - before < 48 * MIB, `${peak - before} bytes more`);
});

Deno.test("a visitor may send 24 MiB of messages without waiting", async () => {
  await using socket = await open("/count");
  for (let i = 0; i < 24; i++) socket.send(new Uint8Array(MIB));
  for (let i = 0; i < 24; i++) assert.equal(await socket.next(), String(MIB));
});

Deno.test("an open WebSocket keeps its isolate, however silent; without it the isolate ends", async () => {
  const { server } = suite;
  const { id } = await server.deploy("silent", appSource("sockets.ts"));
  const socket = await open("/", {}, "silent.localhost");
  const { pid } = (await server.isolate(id))!;
  await new Promise((resolve) => setTimeout(resolve, 2000)); // Four times the idle timeout.
  assert.equal((await server.isolate(id))?.pid, pid);
  socket.send("still there");
  assert.equal(await socket.next(), "still there");
  await socket[Symbol.asyncDispose]();
  await until("the isolate ends", async () => await server.isolate(id) === undefined);
});

Deno.test("when the app ends, its WebSockets end with 1011, and a new one finds a new isolate", async () => {
  const { server } = suite;
  const { id } = await server.deploy("ends", appSource("sockets.ts"));
  const [first, second] = [await open("/", {}, "ends.localhost"), await open("/", {}, "ends.localhost")];
  const { pid } = (await server.isolate(id))!;
  first.send("exit");
  assert.deepEqual(await first.closed, { code: 1011, reason: "ISOLATE_CRASHED" });
  assert.deepEqual(await second.closed, { code: 1011, reason: "ISOLATE_CRASHED" });
  await using next = await open("/", {}, "ends.localhost");
  next.send("again");
  assert.equal(await next.next(), "again");
  assert.notEqual((await server.isolate(id))!.pid, pid);
});
