import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { AppIsolate } from "./testing/app_isolate.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { ServedVisitor } from "./testing/served_visitor.ts";
import { until, untilStill } from "./testing/test_runner.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const HOUR_S = 3600;
const HOST = "host: shop.example\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const UPGRADE = `GET / HTTP/1.1\r\n${HOST}connection: upgrade\r\nupgrade: websocket\r\n` +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** An app that never answers, and what it saw. That a body is broken off `Deno.serve` tells by the body alone. */
function hanging() {
  const seen = { requests: 0, bodyBytes: 0, aborted: 0 };
  const app = AppIsolate.serving(async (request) => {
    seen.requests++;
    const aborted = new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
    try {
      for await (const chunk of request.body ?? []) seen.bodyBytes += chunk.length;
      await aborted;
    } catch {
      // Broken off.
    }
    seen.aborted++;
    return new Response();
  });
  return { app, seen };
}

/** An app that sends for as long as anybody takes it. */
function endless() {
  const seen = { producedBytes: 0, cancelled: 0 };
  const app = AppIsolate.serving(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          seen.producedBytes += 64 * KIB;
          controller.enqueue(new Uint8Array(64 * KIB));
        },
        cancel: () => void seen.cancelled++,
      }, { highWaterMark: 0 }),
    )
  );
  return { app, seen };
}

/** An isolate that opens a WebSocket and then says `frame` again and again; without one, it reads nothing any more. */
function webSocketOf(frame: Uint8Array = new Uint8Array(0)) {
  const seen = { sentBytes: 0 };
  const isolate = new RawIsolate(async (connection, disposed) => {
    const key = /sec-websocket-key: (.*)\r\n/.exec(await connection.readUntil("\r\n\r\n") ?? "")![1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    await connection.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
        `sec-websocket-accept: ${accept}\r\n\r\n`,
    );
    if (frame.length === 0) return await disposed;
    let isOver = false;
    connection.closed().then(() => isOver = true);
    while (!isOver) {
      await connection.write(frame);
      seen.sentBytes += frame.length;
    }
  });
  return { isolate, seen };
}

/** A masked frame, as a visitor sends it. */
function binaryFrame(bytes: number): Uint8Array {
  const frame = new Uint8Array(14 + bytes);
  new DataView(frame.buffer).setBigUint64(2, BigInt(bytes));
  frame.set([0x82, 0xff]);
  return frame;
}

/** Sends until nobody takes any more. */
async function flood(visitor: ServedVisitor["visitor"], bytes: Uint8Array): Promise<void> {
  let sent = 0;
  const sending = (async () => {
    for (;;) {
      await visitor.write(bytes);
      sent += bytes.length;
    }
  })();
  sending.catch(() => {});
  await untilStill(() => sent);
}

Deno.test("who sends no head, or drips it, is cut", async () => {
  await using app = AppIsolate.serving(() => new Response("hi"));
  for (const beginning of ["", "GET / HTTP/1.1\r\nhost: shop", "\r\n"]) {
    await using served = await ServedVisitor.connect(app.socketPath, { headerTimeoutMs: 15_000 });
    const { visitor, connection } = served;
    assert.ok(served.age(1));
    await visitor.write(beginning);
    await until(() => connection.idle === (beginning.length < 3));
    assert.ok(served.age(10));
    assert.notEqual(connection.idleSince, null);
    assert.equal(served.age(5), false);
    assert.equal(await visitor.receiveAll(), "");
  }
});

Deno.test("a connection that is kept is cut after its time, and in time carries another request", async () => {
  await using app = AppIsolate.serving(() => new Response("hi"));
  await using served = await ServedVisitor.connect(app.socketPath, {
    keepAliveTimeoutMs: 60_000,
    headerTimeoutMs: 15_000,
  });
  for (let i = 0; i < 3; i++) {
    await served.visitor.write(GET);
    assert.ok(await served.visitor.receive(/hi$/));
    served.visitor.received = "";
    await until(() => served.connection.idle);
    assert.ok(served.age(59));
  }
  await served.visitor.write("GET / HTTP");
  await until(() => !served.connection.idle);
  assert.ok(served.age(14));
  assert.equal(served.age(1), false);
  assert.equal(await served.visitor.receiveAll(), "");
});

Deno.test("a request in which nothing moves is ended for its app, one that is answered in time is not", async () => {
  const answer = Promise.withResolvers<Response>();
  await using app = AppIsolate.serving(() => answer.promise);
  const { app: silent, seen } = hanging();
  await using _silent = silent;
  await using poll = await ServedVisitor.connect(app.socketPath, { silenceTimeoutMs: 300_000 });
  await using served = await ServedVisitor.connect(silent.socketPath, { silenceTimeoutMs: 300_000 });
  await poll.visitor.write(GET);
  await served.visitor.write(GET);
  await until(() => seen.requests === 1 && poll.inFlight === 1);
  assert.equal(served.connection.idleSince, null);
  assert.ok(served.age(299));
  assert.ok(poll.age(299));
  answer.resolve(new Response("at last"));
  assert.ok(await poll.visitor.receive(/at last$/));

  assert.equal(served.age(1), false);
  await until(() => seen.aborted === 1 && served.inFlight === 0);
});

Deno.test("a body that comes too slowly is ended for its app, with its connection", async () => {
  const { app, seen } = hanging();
  await using _app = app;
  for (const framing of ["content-length: 1000", "transfer-encoding: chunked"]) {
    await using served = await ServedVisitor.connect(app.socketPath, {
      bodyGraceMs: 20_000,
      minBodyBytesPerSecond: 256,
    });
    Object.assign(seen, { bodyBytes: 0, aborted: 0 });
    await served.visitor.write(`POST / HTTP/1.1\r\n${HOST}${framing}\r\n\r\n`);
    await served.visitor.write("5\r\nhello\r\n");
    await until(() => seen.bodyBytes > 0);
    await until(() => !served.age(1));
    await until(() => seen.aborted === 1 && served.inFlight === 0);
    assert.equal(await served.visitor.receiveAll(), "");
  }
});

Deno.test("a steady upload above the rate arrives, however long it takes", async () => {
  await using app = AppIsolate.serving(async (request) => {
    let bytes = 0;
    for await (const chunk of request.body!) bytes += chunk.length;
    return new Response(String(bytes));
  });
  await using served = await ServedVisitor.connect(app.socketPath, {
    bodyGraceMs: 20_000,
    minBodyBytesPerSecond: 256,
    silenceTimeoutMs: 300_000,
  });
  const pieces = 30;
  const pieceBytes = 6000;
  const head = `POST / HTTP/1.1\r\n${HOST}content-length: ${pieces * pieceBytes}\r\n\r\n`;
  await served.visitor.write(head);
  for (let sent = 1; sent <= pieces; sent++) {
    await served.visitor.write("x".repeat(pieceBytes));
    await until(() => served.ingressBytes > sent * pieceBytes);
    assert.ok(served.age(20));
  }
  assert.ok(await served.visitor.receive(/\r\n\r\n180000$/));
});

Deno.test("a fast upload waits for a slow app, for as long as that takes", async () => {
  const read = Promise.withResolvers<void>();
  await using app = AppIsolate.serving(async (request) => {
    await read.promise;
    return new Response(String((await request.bytes()).length));
  });
  await using served = await ServedVisitor.connect(app.socketPath, {
    bodyGraceMs: 20_000,
    minBodyBytesPerSecond: 256,
  });
  const size = 32 * MIB;
  await served.visitor.write(`POST / HTTP/1.1\r\n${HOST}content-length: ${size}\r\n\r\n`);
  let sent = 0;
  const sending = (async () => {
    const chunk = new Uint8Array(64 * KIB);
    for (; sent < size; sent += chunk.length) await served.visitor.write(chunk);
  })();
  await untilStill(() => sent);
  assert.ok(served.age(HOUR_S));
  read.resolve();
  await sending;
  assert.ok(await served.visitor.receive(/\r\n\r\n33554432$/));
});

Deno.test("who takes nothing of a response is cut, and its app is told", async () => {
  const { app, seen } = endless();
  await using _app = app;
  await using served = await ServedVisitor.connect(app.socketPath, { writeTimeoutMs: 60_000 });
  await served.visitor.write(GET);
  await untilStill(() => seen.producedBytes);
  assert.ok(served.age(59));
  assert.equal(served.age(1), false);
  await until(() => seen.cancelled === 1 && served.inFlight === 0);
});

Deno.test("who takes a response slowly gets it", async () => {
  const { app, seen } = endless();
  await using _app = app;
  await using served = await ServedVisitor.connect(app.socketPath, { writeTimeoutMs: 60_000 });
  await served.visitor.write(GET);
  for (let i = 0; i < 3; i++) {
    await untilStill(() => seen.producedBytes);
    const { producedBytes } = seen;
    assert.ok(served.age(59));
    while (seen.producedBytes === producedBytes) assert.ok(await served.visitor.skip(MIB));
  }
});

Deno.test("events may be rare", async () => {
  let send!: (text: string) => void;
  await using app = AppIsolate.serving(() => {
    const stream = new ReadableStream<string>({
      start: (controller) => void (send = (text) => controller.enqueue(text)),
    });
    return new Response(stream.pipeThrough(new TextEncoderStream()));
  });
  await using served = await ServedVisitor.connect(app.socketPath, { silenceTimeoutMs: 300_000 });
  await served.visitor.write(GET);
  for (let i = 0; i < 5; i++) {
    await until(() => send !== undefined);
    send(`data: ${i}\n\n`);
    assert.ok(await served.visitor.receive(new RegExp(`data: ${i}\n\n`)));
    assert.ok(served.age(299));
  }
  assert.equal(served.age(300), false);
});

Deno.test("a WebSocket may say nothing", async () => {
  await using app = AppIsolate.serving((request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  await using served = await ServedVisitor.connect(app.socketPath, {
    headerTimeoutMs: 15_000,
    keepAliveTimeoutMs: 60_000,
    silenceTimeoutMs: 300_000,
    writeTimeoutMs: 60_000,
  });
  await served.visitor.write(UPGRADE);
  assert.ok(await served.visitor.receive(/^HTTP\/1\.1 101 [^]*\r\n\r\n/));
  assert.ok(served.age(HOUR_S));
  await served.visitor.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69));
  assert.ok(await served.visitor.receive(/hi$/));
});

Deno.test("a WebSocket whose visitor takes nothing is cut", async () => {
  const { isolate, seen } = webSocketOf(Uint8Array.of(0x82, 126, 0xff, 0xff, ...new Uint8Array(65_535)));
  await using _isolate = isolate;
  await using served = await ServedVisitor.connect(isolate.socketPath, { writeTimeoutMs: 60_000 });
  await served.visitor.write(UPGRADE);
  await until(() => seen.sentBytes > 0);
  await untilStill(() => seen.sentBytes);
  assert.ok(served.age(59));
  assert.equal(served.age(1), false);
  await until(() => served.inFlight === 0);
});

Deno.test("an isolate that takes nothing of a WebSocket does not hold it when it is closed", async () => {
  const { isolate } = webSocketOf();
  await using _isolate = isolate;
  await using served = await ServedVisitor.connect(isolate.socketPath, {});
  await served.visitor.write(UPGRADE);
  assert.ok(await served.visitor.receive(/\r\n\r\n/));
  await flood(served.visitor, binaryFrame(MIB));
  assert.equal(served.inFlight, 1);
  served.connection.close();
  await until(() => served.inFlight === 0);
});

Deno.test("an isolate that takes nothing holds no upload beyond the time of silence", async () => {
  await using isolate = new RawIsolate((_, disposed) => disposed);
  await using served = await ServedVisitor.connect(isolate.socketPath, { silenceTimeoutMs: 300_000 });
  await served.visitor.write(`POST / HTTP/1.1\r\n${HOST}content-length: ${1000 * MIB}\r\n\r\n`);
  await flood(served.visitor, new Uint8Array(64 * KIB));
  assert.ok(served.age(299));
  assert.equal(served.inFlight, 1);
  assert.equal(served.age(1), false);
  await until(() => served.inFlight === 0);
});

Deno.test("a close ends whatever is under way at once", async () => {
  const { app, seen } = hanging();
  await using _app = app;
  const beginnings = ["", "GET / HT", GET, `POST / HTTP/1.1\r\n${HOST}content-length: 10\r\n\r\nhello`];
  let requests = 0;
  for (const beginning of beginnings) {
    await using served = await ServedVisitor.connect(app.socketPath, {});
    await served.visitor.write(beginning);
    if (beginning.includes("\r\n\r\n")) {
      requests++;
      await until(() => seen.requests === requests);
    }
    served.connection.close();
    assert.equal(await served.visitor.receiveAll(), "");
    await until(() => seen.aborted === requests && served.inFlight === 0);
  }
});

Deno.test("a head over its size is refused, in whatever pieces it comes and however long it would go on", async () => {
  await using isolate = RawIsolate.answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
  const get = (bytes: number) => `${GET.slice(0, -2)}x: ${"x".repeat(bytes - GET.length - 5)}\r\n\r\n`;
  const rows: [head: string, status: number][] = [
    [get(3000), 200],
    [get(3001), 431],
    [`${GET.slice(0, -2)}x: ${"x".repeat(3000)}`, 431],
    [get(20_000), 431],
  ];
  for (const maxHeaderBytes of [3000, 300_000]) {
    for (const [head, status] of rows) {
      for (const pieceBytes of [head.length, 1000]) {
        await using served = await ServedVisitor.connect(isolate.socketPath, { maxHeaderBytes });
        for (let at = 0; at < head.length; at += pieceBytes) {
          await served.visitor.write(head.slice(at, at + pieceBytes));
        }
        if (maxHeaderBytes > 3000 && !head.endsWith("\r\n\r\n")) continue;
        const [, received] = await served.visitor.receive(/^HTTP\/1\.1 (\d{3}) [^]*(hi|<\/html>\n)$/) ?? [];
        assert.equal(received, String(maxHeaderBytes > 3000 ? 200 : status));
        if (received === "431") assert.match(await served.visitor.receiveAll(), /HEADER_TOO_LARGE/);
      }
    }
  }
});

Deno.test("a body over its size is refused before anybody hears of it, a chunked one once it is over", async () => {
  await using app = AppIsolate.serving(async (request) => {
    const body = await request.bytes().catch(() => "broken off");
    return new Response(String(body.length));
  });
  const chunk = `64\r\n${"x".repeat(100)}\r\n`;
  const rows: [rest: string, answer: RegExp, isSent: boolean][] = [
    [`content-length: 1000\r\n\r\n${"x".repeat(1000)}`, /\r\n\r\n1000$/, true],
    [`content-length: 1001\r\nexpect: 100-continue\r\n\r\n`, /^HTTP\/1\.1 413 [^]*BODY_TOO_LARGE/, false],
    [`transfer-encoding: chunked\r\n\r\n${chunk.repeat(10)}0\r\n\r\n`, /\r\n\r\n1000$/, true],
    [`transfer-encoding: chunked\r\n\r\n${chunk.repeat(11)}`, /^HTTP\/1\.1 413 [^]*BODY_TOO_LARGE/, false],
  ];
  for (const [rest, answer, isSent] of rows) {
    await using served = await ServedVisitor.connect(app.socketPath, { maxBodyBytes: 1000 });
    await served.visitor.write(`POST / HTTP/1.1\r\n${HOST}${rest}`);
    assert.ok(await served.visitor.receive(answer));
    assert.equal(served.ingressBytes > 0, isSent);
  }
  await using served = await ServedVisitor.connect(app.socketPath, { maxBodyBytes: 1000 });
  await served.visitor.write(`POST / HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n${chunk}`);
  await until(() => served.ingressBytes > 100);
  await served.visitor.write(chunk.repeat(10));
  assert.match(await served.visitor.receiveAll(), /^HTTP\/1\.1 413 [^]*BODY_TOO_LARGE/);
});

Deno.test("the last request that a connection may carry is answered, and says so", async () => {
  await using app = AppIsolate.serving(() => new Response("hi"));
  await using served = await ServedVisitor.connect(app.socketPath, { maxRequestsPerConnection: 3 });
  await served.visitor.write(GET.repeat(5));
  const answers = (await served.visitor.receiveAll()).split("hi").slice(0, -1);
  assert.deepEqual(answers.map((answer) => answer.includes("connection: close")), [false, false, true]);
});
