import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { AppIsolate } from "../testing/app_isolate.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { startTestRunner, type TestRunner, until, untilStill } from "../testing/test_runner.ts";

const UPGRADE =
  "GET /chat HTTP/1.1\r\nhost: shop.example\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n" +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const MIB = 1024 * 1024;

/** An app that hands each WebSocket to `use`, opened, with what it was asked for. */
function chat(
  use: (socket: WebSocket, asked: { url: string; headers: Headers }) => void,
  options: Deno.UpgradeWebSocketOptions = {},
): AppIsolate {
  return AppIsolate.serving((request) => {
    // The request cannot be read any more after the upgrade.
    const asked = { url: request.url, headers: new Headers(request.headers) };
    const { socket, response } = Deno.upgradeWebSocket(request, options);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => use(socket, asked);
    socket.onerror = (event) => event.preventDefault();
    return response;
  });
}

/** A visitor's WebSocket, opened. */
async function open(test: TestRunner, path = "/", options: WebSocketOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(test.origin.replace("http", "ws") + path, options);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
  });
  socket.onerror = (event) => event.preventDefault();
  return socket;
}

function next(socket: WebSocket): Promise<string | ArrayBuffer> {
  return new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
}

function closed(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => socket.onclose = ({ code, reason }) => resolve({ code, reason }));
}

/** An isolate that accepts the handshake with these further fields and then says `bytes`. */
function frames(bytes: Uint8Array | number[], fields = ""): RawIsolate {
  return new RawIsolate(async (connection) => {
    const head = await connection.readUntil("\r\n\r\n") ?? "";
    const key = /sec-websocket-key: (.*)\r\n/.exec(head)![1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    await connection.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
        `sec-websocket-accept: ${accept}\r\n${fields}\r\n`,
    );
    await connection.write(Uint8Array.from(bytes));
    await connection.closed();
  });
}

Deno.test("path, query, headers and subprotocol reach the app, and its choice the visitor", async () => {
  await using app = chat((socket, { url, headers }) => {
    const asked = [url, headers.get("x-a"), headers.get("sec-websocket-protocol")];
    socket.onmessage = () => socket.send(JSON.stringify(asked));
  }, { protocol: "two" });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const socket = await open(test, "/a/b?c=d", { headers: { "x-a": "1" }, protocols: ["one", "two"] });
  socket.send("what was asked?");
  const [url, header, protocols] = JSON.parse(await next(socket) as string);
  assert.equal(url, `${test.origin}/a/b?c=d`);
  assert.equal(header, "1");
  assert.equal(protocols, "one, two");
  assert.equal(socket.protocol, "two");
  socket.close();
  await closed(socket);
});

Deno.test("text and binary messages of every size pass exactly, both ways", async () => {
  await using app = chat((socket) => socket.onmessage = ({ data }) => socket.send(data));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const socket = await open(test);
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 3 * MIB]) {
    const data = new Uint8Array(size).map((_, i) => i * 7);
    socket.send(data);
    assert.deepEqual(new Uint8Array(await next(socket) as ArrayBuffer), data);
  }
  for (const text of ["", "hello", "ä€😀\u0000\ufeff", "x".repeat(100_000)]) {
    socket.send(text);
    assert.equal(await next(socket), text);
  }
  socket.close();
  await closed(socket);
});

Deno.test("a 20 MiB burst arrives in order", async () => {
  await using app = chat((socket) => socket.onmessage = ({ data }) => socket.send(data));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const socket = await open(test);
  const received: number[] = [];
  const done = new Promise<void>((resolve) => {
    socket.onmessage = ({ data }) => {
      received.push(new Uint8Array(data)[0]!);
      if (received.length === 20) resolve();
    };
  });
  for (let i = 0; i < 20; i++) socket.send(new Uint8Array(MIB).fill(i));
  await done;
  assert.deepEqual(received, Array.from({ length: 20 }, (_, i) => i));
  socket.close();
  await closed(socket);
});

Deno.test("the app's close code and reason reach the visitor", async () => {
  for (const code of [1000, 1001, 1008, 1011, 1013, 3000, 4999]) {
    await using app = chat((socket) => socket.onmessage = () => socket.close(code, `because ${code}`));
    await using test = await startTestRunner({ acquire: app.socketPath });
    const socket = await open(test);
    socket.send("close!");
    assert.deepEqual(await closed(socket), { code, reason: `because ${code}` });
    await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
  }
});

Deno.test("the visitor's close code and reason reach the app", async () => {
  const seen: unknown[] = [];
  await using app = chat((socket) => socket.onclose = ({ code, reason }) => seen.push([code, reason]));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const frames: [bytes: string, code: number, reason: string][] = [
    ["\x88\x85\0\0\0\0\x03\xe8bye", 1000, "bye"],
    ["\x88\x82\0\0\0\0\x03\xe9", 1001, ""],
    ["\x88\x83\0\0\0\0\x13\x87x", 4999, "x"],
    ["\x88\x80\0\0\0\0", 1005, ""],
  ];
  for (const [bytes, code, reason] of frames) {
    using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
    assert.ok(await visitor.receive(/^HTTP\/1\.1 101 [^]*\r\n\r\n/));
    await visitor.write(bytes);
    await until(() => seen.length > 0);
    assert.deepEqual(seen.pop(), [code, reason]);
    await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
  }
});

Deno.test("a visitor who vanishes is not a clean close for the app", async () => {
  const seen = Promise.withResolvers<boolean>();
  await using app = chat((socket) => socket.onclose = ({ wasClean }) => seen.resolve(wasClean));
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
  assert.ok(await visitor.receive(/\r\n\r\n/));
  visitor[Symbol.dispose]();
  assert.equal(await seen.promise, false);
  await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
});

Deno.test("an open WebSocket is in flight, and keeps its isolate", async () => {
  await using app = chat(() => {});
  await using test = await startTestRunner({ acquire: app.socketPath, options: { idleTimeoutMs: 50 } });
  const socket = await open(test);
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal((await test.runner.usage())[0]!.inFlight, 1);
  assert.equal(await test.runner.recall("i1"), false);
  assert.deepEqual(test.released, []);
  socket.close();
  await closed(socket);
  await until(() => test.released.length === 1);
});

Deno.test("a WebSocket of an isolate that ended is closed with 1011 and the code", async () => {
  await using isolate = frames([]);
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const socket = await open(test);
  const end = closed(socket);
  test.runner.ended("i1", "MEMORY_LIMIT");
  assert.deepEqual(await end, { code: 1011, reason: "MEMORY_LIMIT" });
});

Deno.test("an isolate's ping is answered and its messages may be in fragments", async () => {
  const ponged = Promise.withResolvers<string>();
  await using isolate = new RawIsolate(async (connection) => {
    const head = await connection.readUntil("\r\n\r\n") ?? "";
    const key = /sec-websocket-key: (.*)\r\n/.exec(head)![1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    // The first frames come in the same bytes as the 101.
    await connection.write(
      "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n" +
        `sec-websocket-accept: ${accept}\r\n\r\n\x01\x02he\x89\x01!\x80\x03llo`,
    );
    const frame = await connection.readUntil("\x8a\x81");
    ponged.resolve(frame ?? "nothing");
    await connection.closed();
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
  assert.ok(await visitor.receive(/set-cookie: a=1\r\nset-cookie: b=2\r\n[^]*hello$/));
  assert.equal(await ponged.promise, "\x8a\x81");
});

Deno.test("frames that break RFC 6455 end both sides", async () => {
  const rows: [name: string, bytes: number[]][] = [
    ["masked", [0x81, 0x81, 0, 0, 0, 0, 0x61]],
    ["reserved bit", [0xc1, 0x01, 0x61]],
    ["unknown opcode", [0x83, 0x00]],
    ["bad UTF-8", [0x81, 0x01, 0xff]],
    ["long ping", [0x89, 126, 0, 126]],
    ["message over 64 MiB", [0x82, 127, 0, 0, 0, 0, 4, 0, 0, 1]],
  ];
  for (const [name, bytes] of rows) {
    await using isolate = frames(bytes);
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
    assert.ok(await visitor.receive(/BAD_RESPONSE$/), name);
    assert.ok(visitor.received.endsWith("\x88\x0e\x03\xf3BAD_RESPONSE"), name);
    await visitor.write("\x88\x82\0\0\0\0\x03\xf3");
    await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
  }
});

Deno.test("a handshake that the isolate gets wrong is BAD_RESPONSE", async () => {
  const ok = "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";
  const answers = [
    `${ok}sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
    `${ok}\r\n`,
    "HTTP/1.1 101 x\r\nupgrade: h2c\r\nconnection: Upgrade\r\n\r\n",
  ];
  for (const answer of answers) {
    await using isolate = RawIsolate.answering(answer);
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
    assert.ok(await visitor.receive(/^HTTP\/1\.1 502 [^]*x-isola-error: BAD_RESPONSE/));
  }
  for (
    const fields of [
      "sec-websocket-protocol: uninvited\r\n",
      "sec-websocket-extensions: permessage-deflate\r\n",
    ]
  ) {
    await using isolate = frames([], fields);
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
    assert.ok(await visitor.receive(/^HTTP\/1\.1 502 [^]*x-isola-error: BAD_RESPONSE/));
  }
});

Deno.test("an app that refuses the upgrade answers the visitor", async () => {
  await using app = AppIsolate.serving(() => new Response("members only", { status: 403 }));
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
  assert.ok(await visitor.receive(/^HTTP\/1\.1 403 [^]*members only$/));
});

Deno.test("what is not quite an upgrade is an ordinary request", async () => {
  await using app = AppIsolate.serving((request) =>
    new Response(`upgrade ${request.headers.get("upgrade")}`)
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  const variants = [
    UPGRADE.replace("version: 13", "version: 12"),
    UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"),
    UPGRADE.replace("upgrade: WebSocket", "upgrade: h2c"),
    UPGRADE.replace("keep-alive, Upgrade", "keep-alive"),
    UPGRADE.replace("GET", "PUT"),
  ];
  for (const variant of variants) {
    using visitor = await RawVisitor.send(test.port, `${variant}\r\n`);
    assert.ok(await visitor.receive(/^HTTP\/1\.1 200 [^]*upgrade null/), variant);
  }
});

Deno.test("an isolate that sends faster than the visitor reads is not read on", async () => {
  let sent = 0;
  await using isolate = new RawIsolate(async (connection, disposed) => {
    const head = await connection.readUntil("\r\n\r\n") ?? "";
    const key = /sec-websocket-key: (.*)\r\n/.exec(head)![1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    await connection.write(
      `HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    const frame = new Uint8Array(4 + 60_000);
    frame.set([0x82, 126, 60_000 >> 8, 60_000 & 0xff]);
    let over = false;
    disposed.then(() => over = true);
    for (; sent < 200 * MIB && !over; sent += frame.length) await connection.write(frame);
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
  await visitor.receive(/\r\n\r\n/);
  await untilStill(() => sent);
  assert.ok(sent < 40 * MIB, `${sent} bytes were taken for nobody`);
});

Deno.test("a visitor who sends faster than the isolate reads is not read on", async () => {
  const { promise: stop, resolve } = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    const head = await connection.readUntil("\r\n\r\n") ?? "";
    const key = /sec-websocket-key: (.*)\r\n/.exec(head)![1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    await connection.write(
      `HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    await stop;
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  using visitor = await RawVisitor.send(test.port, `${UPGRADE}\r\n`);
  assert.ok(await visitor.receive(/\r\n\r\n/));
  const frame = new Uint8Array(8 + 60_000);
  frame.set([0x82, 0x80 | 126, 60_000 >> 8, 60_000 & 0xff]);
  let sent = 0;
  const flood = (async () => {
    for (; sent < 200 * MIB; sent += frame.length) await visitor.write(frame);
  })().catch(() => {});
  await untilStill(() => sent);
  assert.ok(sent < 40 * MIB, `${sent} bytes were taken for nobody`);
  visitor[Symbol.dispose]();
  resolve();
  await flood;
  await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
});

Deno.test("a drain closes WebSockets with 1001 on both sides", async () => {
  const seen = Promise.withResolvers<number>();
  await using app = chat((socket) => socket.onclose = ({ code }) => seen.resolve(code));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const socket = await open(test);
  const end = closed(socket);
  await test.runner.drain(5000);
  assert.equal((await end).code, 1001);
  assert.equal(await seen.promise, 1001);
});

Deno.test("open WebSockets take no place from requests", async () => {
  await using isolate = AppIsolate.serving((request) => {
    if (request.headers.get("upgrade") === null) return new Response("served");
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onerror = (event) => event.preventDefault();
    return response;
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: { maxConcurrency: 1 } });
  const sockets = [await open(test), await open(test)];
  const response = await fetch(test.origin);
  assert.equal(await response.text(), "served");
  for (const socket of sockets) {
    const end = closed(socket);
    socket.close();
    await end;
  }
});
