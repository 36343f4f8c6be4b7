import assert from "node:assert/strict";
import { Handler } from "../handler.ts";
import { Leases } from "../isolates/leases.ts";
import { AppIsolate } from "../testing/app_isolate.ts";
import { readResponses } from "../testing/http1_reference.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { startTestRunner, until } from "../testing/test_runner.ts";
import { VisitorConnection, type VisitorSocket } from "./visitor_connection.ts";

const HOST = "host: shop.example\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
const PEER = { hostname: "192.0.2.7", port: 1 };

/** An app that says what it was asked. */
function echo(): AppIsolate {
  return AppIsolate.serving(async (request) => {
    const path = new URL(request.url).pathname;
    if (path.endsWith("/none")) return new Response(null, { status: 204 });
    return new Response(`${request.method} ${path} ${await request.text()}`);
  });
}

/** A handler in this thread, for visitors that are not sockets. */
function handlerFor(socketPath: string): { handler: Handler; leases: Leases } {
  const leases = new Leases({ idleTimeoutMs: 60_000, queueTimeoutMs: 5000 }, {
    acquire: () => Promise.resolve({ isolateId: "i1", socketPath }),
    release() {},
    broken() {},
  });
  const route = { deploymentId: "d1", maxConcurrency: 100, requestTimeoutMs: 0 };
  return { handler: new Handler({ routes: new Map([["shop.example", route]]), leases }), leases };
}

/** A visitor who sends what it is given, and never leaves by itself. */
class ScriptedVisitor implements VisitorSocket {
  readonly #sends: () => string | null;
  readonly #closed = Promise.withResolvers<null>();
  /** The lengths of the buffers that it was read into. */
  readonly buffers: number[] = [];
  received = "";

  /** @param sends What the next read gets, at once; `null` = nothing more comes. */
  constructor(sends: () => string | null) {
    this.#sends = sends;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.buffers.push(buffer.length);
    const text = this.#sends();
    return text === null
      ? this.#closed.promise
      : Promise.resolve(new TextEncoder().encodeInto(text, buffer).written);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.received += String.fromCharCode(...bytes);
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  close(): void {
    this.#closed.resolve(null);
  }
}

Deno.test("pipelined requests are answered in order, however many come in one write", async () => {
  await using app = echo();
  await using test = await startTestRunner({ acquire: app.socketPath });
  const kinds = [
    (i: number) => ["GET", `/${i}`, "\r\n", `GET /${i} `],
    (i: number) => ["HEAD", `/${i}`, "\r\n", ""],
    (i: number) => ["GET", `/${i}/none`, "\r\n", ""],
    (i: number) => ["POST", `/${i}`, "content-length: 5\r\n\r\nGET /", `POST /${i} GET /`],
    (
      i: number,
    ) => ["PUT", `/${i}`, "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", `PUT /${i} abc`],
    (i: number) => ["POST", `/${i}`, "expect: 100-continue\r\ncontent-length: 1\r\n\r\nx", `POST /${i} x`],
  ] as const;
  for (const count of [2, 17, 1000]) {
    const requests = Array.from({ length: count }, (_, i) => kinds[i % kinds.length]!(i));
    const text = requests.map(([method, path, rest]) => `${method} ${path} HTTP/1.1\r\n${HOST}${rest}`).join(
      "",
    );
    using visitor = await RawVisitor.send(
      test.port,
      `${text}GET /last HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`,
    );
    const methods = requests.map(([method]) => method!);
    const responses = readResponses(await visitor.receiveAll(), methods);
    assert.deepEqual(responses.map(({ body }) => body), [
      ...requests.map(([, , , body]) => body),
      "GET /last ",
    ]);
  }
});

Deno.test("who pipelines more than a buffer holds waits until the first is answered", async () => {
  const gate = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    for (let first = true; await connection.readUntil("\r\n\r\n") !== null; first = false) {
      if (first) await gate.promise;
      await connection.write(OK);
    }
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const count = 2500;
  using visitor = await RawVisitor.send(test.port, `GET / HTTP/1.1\r\n${HOST}\r\n`);
  await until(async () => (await test.runner.inFlight()).length === 1);
  const more = `GET / HTTP/1.1\r\n${HOST}\r\n`.repeat(count - 2);
  const sent = visitor.write(`${more}GET / HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`);
  // A question to the runner is answered after all that it has read till then.
  for (let i = 0; i < 20; i++) assert.deepEqual(await test.runner.inFlight(), ["i1"]);
  gate.resolve();
  assert.equal(readResponses(await visitor.receiveAll(), []).length, count);
  await sent;
});

Deno.test("a GET with a long body is answered, and its body is nobody's", async () => {
  await using app = echo();
  await using test = await startTestRunner({ acquire: app.socketPath });
  const body = "GET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n".repeat(5000);
  for (const host of [HOST, "host: other.example\r\n"]) {
    using visitor = await RawVisitor.send(
      test.port,
      `GET /a HTTP/1.1\r\n${host}content-length: ${body.length}\r\n\r\n${body}`,
    );
    const responses = readResponses(await visitor.receiveAll(), []);
    assert.equal(responses.length, 1);
    assert.equal(responses[0]!.fields.get("connection"), "close");
    assert.match(responses[0]!.body, host === HOST ? /^GET \/a $/ : /DEPLOYMENT_NOT_FOUND/);
  }
  assert.equal((await test.runner.usage())[0]!.requests, 1);
});

Deno.test("an HTTP/1.0 connection is kept if it asks for it and the response says where it ends", async () => {
  await using app = AppIsolate.serving((request) =>
    request.url.endsWith("/stream")
      ? new Response(ReadableStream.from([new TextEncoder().encode("stream")]))
      : new Response("whole")
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  const ask = (path: string) => `GET ${path} HTTP/1.0\r\n${HOST}connection: keep-alive\r\n\r\n`;
  using visitor = await RawVisitor.send(test.port, ask("/") + ask("/stream") + ask("/"));
  const received = await visitor.receiveAll();
  assert.match(received, /^HTTP\/1\.1 200 OK[^]*\r\nconnection: keep-alive\r\n\r\nwholeHTTP\/1\.1 200 OK/);
  assert.match(received, /\r\nconnection: close\r\n\r\nstream$/);
  assert.doesNotMatch(received, /transfer-encoding/);
  using other = await RawVisitor.send(test.port, `GET / HTTP/1.0\r\n${HOST}\r\n${ask("/")}`);
  assert.match(await other.receiveAll(), /\r\nconnection: close\r\n\r\nwhole$/);
});

Deno.test("what a refused upgrade claims as its body never becomes a request", async () => {
  await using app = echo();
  await using test = await startTestRunner({ acquire: app.socketPath });
  const inner = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
  const upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n" +
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const bodies = [
    `content-length: ${inner.length}\r\n\r\n${inner}`,
    `transfer-encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
  ];
  for (const body of bodies) {
    using visitor = await RawVisitor.send(test.port, `GET /a HTTP/1.1\r\n${HOST}${upgrade}${body}`);
    const responses = readResponses(await visitor.receiveAll(), []);
    assert.deepEqual(responses.map(({ body }) => body), ["GET /a "]);
  }
});

Deno.test("an upload larger than any buffer waits for its isolate, and is broken off if its visitor leaves", async () => {
  const start = Promise.withResolvers<void>();
  await using app = AppIsolate.serving(async (request) =>
    new Response(String((await request.bytes().catch(() => "")).length))
  );
  await using test = await startTestRunner({
    acquire: async () => {
      await start.promise;
      return { isolateId: "i1", socketPath: app.socketPath };
    },
  });
  const size = 300_000;
  const head = `POST / HTTP/1.1\r\n${HOST}content-length: ${size}\r\n\r\n`;
  const bytes = new Uint8Array(size);
  using visitor = await RawVisitor.send(test.port, head);
  using leaver = await RawVisitor.send(test.port, head);
  await until(() => test.acquired.length === 1);
  await visitor.write(bytes);
  await leaver.write(bytes.subarray(0, 100_000));
  leaver[Symbol.dispose]();
  start.resolve();
  assert.ok(await visitor.receive(/\r\n\r\n300000$/));
  await until(async () => (await test.runner.inFlight()).length === 0);
});

Deno.test("what came before a connection was taken over is its beginning, wherever it was cut", async () => {
  await using isolate = RawIsolate.answering(OK);
  const { handler, leases } = handlerFor(isolate.socketPath);
  using _leases = leases;
  const cookie = `cookie: ${"x".repeat(6000)}\r\n`;
  const text = `GET / HTTP/1.1\r\n${HOST}${cookie}\r\n`.repeat(2) +
    `GET / HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`;
  for (const cut of [0, 1, 4095, 4096, 4097, 6050, 6100, 10_000, text.length]) {
    let unsent = text.slice(cut);
    const visitor: ScriptedVisitor = new ScriptedVisitor(() => {
      const piece = unsent.slice(0, visitor.buffers.at(-1));
      unsent = unsent.slice(piece.length);
      return piece === "" ? null : piece;
    });
    const received = new TextEncoder().encode(text.slice(0, cut));
    const connection = new VisitorConnection(visitor, PEER, { received });
    received.fill(0);
    await handler.serve(connection);
    assert.equal(readResponses(visitor.received, []).length, 3, `cut at ${cut}`);
  }
});

Deno.test("frames that come with an upgrade, more than a buffer of them, are not lost", async () => {
  await using app = AppIsolate.serving((request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    let bytes = 0;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") socket.send(`${data} ${bytes}`);
      else bytes += data.byteLength;
    };
    return response;
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const frame = (opcode: number, payload: string) => {
    const length = String.fromCharCode(payload.length >> 8, payload.length & 0xff);
    return `${String.fromCharCode(0x80 | opcode, 0x80 | 126)}${length}\0\0\0\0${payload}`;
  };
  using visitor = await RawVisitor.send(
    test.port,
    `GET / HTTP/1.1\r\n${HOST}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
      frame(2, "x".repeat(60_000)).repeat(5) + frame(1, "y".repeat(126)),
  );
  assert.ok(await visitor.receive(/y{126} 300000/));
});

Deno.test("a response that its visitor does not take leaves the isolate's connection to others", async () => {
  const second = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    for (let head; (head = await connection.readUntil("\r\n\r\n")) !== null;) {
      if (head.includes("/second")) await second.promise;
      await connection.write(OK);
    }
  });
  const { handler, leases } = handlerFor(isolate.socketPath);
  using _leases = leases;
  const failure = Promise.withResolvers<number>();
  const written = Promise.withResolvers<void>();
  let asks: string | null = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  const leaver = new ScriptedVisitor(() => [asks, asks = null][0]!);
  leaver.write = () => {
    written.resolve();
    return failure.promise;
  };
  const left = handler.serve(new VisitorConnection(leaver, PEER));
  await written.promise;

  let asksToo: string | null = `GET /second HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`;
  const stayer = new ScriptedVisitor(() => [asksToo, asksToo = null][0]!);
  const stayed = handler.serve(new VisitorConnection(stayer, PEER));
  await until(() => leases.usage()[0]!.inFlight === 1);
  failure.reject(new Deno.errors.BrokenPipe());
  await left;
  second.resolve();
  await stayed;
  assert.match(stayer.received, /^HTTP\/1\.1 200 OK/);
  assert.equal(isolate.accepted, 1);
});

Deno.test("who asks without a pause for what needs no isolate lets others in", async () => {
  const { handler, leases } = handlerFor("/nowhere");
  using _leases = leases;
  let others = 0;
  const timer = setInterval(() => others++, 0);
  let reads = 0;
  const flooder = new ScriptedVisitor(() =>
    ++reads > 50 ? null : "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100)
  );
  const served = handler.serve(new VisitorConnection(flooder, PEER));
  await until(() => reads > 50);
  clearInterval(timer);
  flooder.close();
  await served;
  assert.ok(others >= 10, `${others} turns in 5000 requests`);
});

Deno.test("a connection that rests after an upload costs no more than before", async () => {
  await using app = echo();
  const { handler, leases } = handlerFor(app.socketPath);
  using _leases = leases;
  const body = "x".repeat(200_000);
  let unsent = `POST / HTTP/1.1\r\n${HOST}content-length: ${body.length}\r\n\r\n${body}`;
  const visitor: ScriptedVisitor = new ScriptedVisitor(() => {
    if (unsent === "") return null;
    const text = unsent.slice(0, visitor.buffers.at(-1));
    unsent = unsent.slice(text.length);
    return text;
  });
  const served = handler.serve(new VisitorConnection(visitor, PEER));
  await until(() => visitor.received.endsWith("x"));
  assert.equal(Math.max(...visitor.buffers), 64 * 1024);
  assert.equal(visitor.buffers.at(-1), visitor.buffers[0]);
  visitor.close();
  await served;
});

Deno.test("what cannot become a request is refused at once", async () => {
  await using test = await startTestRunner({ acquire: "/nowhere" });
  const beginnings = [
    "\x16\x03\x01\x02",
    " ",
    "\n",
    "GET /\r\n",
    "\r\nSSH-2.0-OpenSSH_9.2\r\n",
    "GET / HTTP/1.1\n",
    "GET / HTTP/1.1\r\nhost: shop.example\n",
    "PRI * HTTP/2.0\r\n\r\nX",
  ];
  for (const beginning of beginnings) {
    for (const isSplit of [false, true]) {
      using visitor = await RawVisitor.send(test.port, "");
      const pieces = isSplit ? [...beginning] : [beginning];
      for (const piece of pieces) await visitor.write(piece);
      assert.match(await visitor.receiveAll(), /^HTTP\/1\.1 400 /, JSON.stringify(beginning.slice(0, 50)));
    }
  }
});

Deno.test("empty lines before a request are skipped, but not for ever", async () => {
  await using app = echo();
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(test.port, `\r\n\r\n\r\nGET /a HTTP/1.1\r\n${HOST}\r\n`);
  assert.ok(await visitor.receive(/\r\n\r\nGET \/a $/));
  await visitor.write("\r\n".repeat(33_000));
  assert.match(await visitor.receiveAll(), /\r\nx-isola-error: HEADER_TOO_LARGE\r\n/);
});
