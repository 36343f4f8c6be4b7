import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { RawVisitor } from "./testing/raw_visitor.ts";
import { startTestRunner, until } from "./testing/test_runner.ts";

const GET = "GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n";
const GET_AND_CLOSE = "GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\n";

Deno.test("a response that is not HTTP/1.1 becomes BAD_RESPONSE and the isolate is called broken", async () => {
  const answers = [
    "garbage\r\n\r\n",
    "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n",
    `${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`,
    `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${OK}content-length: 5\r\n folded: x\r\n\r\nhello`,
    `${OK}content-length : 5\r\n\r\nhello`,
    `${OK}x: ${"a".repeat(70_000)}\r\n\r\n`,
    `${OK}${"x: y\r\n".repeat(300)}\r\n`,
    `${OK}transfer-encoding: chunked\r\n\r\nzz\r\n`,
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n".repeat(20),
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(20),
  ];
  for (const answer of answers) {
    await using isolate = RawIsolate.answering(answer);
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    using visitor = await RawVisitor.send(test.port, GET_AND_CLOSE);
    assert.match(
      await visitor.receiveAll(),
      /^HTTP\/1\.1 502 [^]*x-isola-error: BAD_RESPONSE/,
      answer.slice(0, 99),
    );
    await until(() => test.broken.length === 1);
    assert.equal(test.broken[0]!.code, "BAD_RESPONSE");
    assert.equal(test.broken[0]!.usage.isolateId, "i1");
  }
});

Deno.test("interim responses are skipped", async () => {
  await using isolate = RawIsolate.answering(
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${OK}content-length: 2\r\n\r\nhi`,
  );
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  for (let i = 0; i < 2; i++) {
    const response = await fetch(test.origin);
    assert.equal(response.headers.get("link"), null);
    assert.equal(await response.text(), "hi");
  }
  assert.equal(isolate.accepted, 1);
});

Deno.test("a body that breaks the protocol or ends early ends the visitor's, never quietly", async () => {
  const bodies: [answer: string, broken: boolean][] = [
    [`${OK}content-length: 10\r\n\r\nhello`, false],
    [`${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, false],
    [`${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`, false],
    [`${OK}transfer-encoding: chunked\r\n\r\n5\r\nhel`, false],
    [`${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, true],
  ];
  for (const [answer, broken] of bodies) {
    const begun = Promise.withResolvers<void>();
    await using isolate = new RawIsolate(async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write(answer);
      await begun.promise;
      if (broken) await connection.write("not a size\r\n");
    });
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    using visitor = await RawVisitor.send(test.port, GET);
    assert.ok(await visitor.receive(/hel/));
    begun.resolve();
    const all = await visitor.receiveAll();
    assert.match(all, /^HTTP\/1\.1 200 /);
    assert.ok(!all.endsWith("0\r\n\r\n"), answer);
    await until(async () =>
      broken ? test.broken.length === 1 : (await test.runner.usage())[0]!.inFlight === 0
    );
    assert.equal(test.broken.length, broken ? 1 : 0);
  }
});

Deno.test("bytes after a response belong to nobody", async () => {
  const extra = `${OK}content-length: 4\r\n\r\nevil`;
  for (const late of [false, true]) {
    await using isolate = new RawIsolate(async (connection) => {
      await connection.readUntil("\r\n\r\n");
      const answer = `${OK}content-length: 2\r\n\r\nhi`;
      await connection.write(late ? answer : answer + extra);
      if (late) await connection.write(extra);
      await connection.closed();
    });
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    for (let i = 1; i <= 3; i++) {
      assert.equal(await (await fetch(test.origin)).text(), "hi");
      // Until the late bytes have come and the connection is gone, it could be used once more.
      await until(async () => (await test.runner.usage())[0]!.egressBytes >= i * 40 + (late ? i * 40 : 0));
    }
    assert.equal(isolate.accepted, 3);
  }
});

Deno.test("a head and a body that drip in byte by byte are as good as any", async () => {
  const answer =
    `${OK}x-a: b\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nx-t: 1\r\n\r\n`;
  await using isolate = new RawIsolate(async (connection) => {
    while (await connection.readUntil("\r\n\r\n") !== null) {
      for (const char of answer) await connection.write(char);
    }
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  for (let i = 0; i < 3; i++) {
    const response = await fetch(test.origin);
    assert.equal(response.headers.get("x-a"), "b");
    assert.equal(await response.text(), "hello!");
  }
  assert.equal(isolate.accepted, 1);
});

Deno.test("a body without a length lasts until the connection ends", async () => {
  await using isolate = RawIsolate.answeringOnce(`${OK}x-a: b\r\n\r\nhello`);
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  for (let i = 0; i < 2; i++) assert.equal(await (await fetch(test.origin)).text(), "hello");
  assert.equal(isolate.accepted, 2);
});

Deno.test("`connection: close` is believed", async () => {
  await using isolate = RawIsolate.answering(`${OK}connection: close\r\ncontent-length: 2\r\n\r\nhi`);
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  for (let i = 0; i < 3; i++) assert.equal(await (await fetch(test.origin)).text(), "hi");
  assert.equal(isolate.accepted, 3);
});

Deno.test("a connection that ends before the head is BAD_RESPONSE, and the request is not sent again", async () => {
  let requests = 0;
  await using isolate = new RawIsolate(async (connection) => {
    if (await connection.readUntil("\r\n\r\n") !== null) requests++;
    await connection.write("HTTP/1.1 200 O");
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const response = await fetch(test.origin, { headers: { accept: "application/json" } });
  assert.equal(response.status, 502);
  assert.equal((await response.json()).code, "BAD_RESPONSE");
  assert.equal(requests, 1);
  assert.deepEqual(test.broken, []);
});

Deno.test("a request that gets no head in time is REQUEST_TIMEOUT and its connection is closed", async () => {
  const closed = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write("HTTP/1.1 200 OK\r\nx-a:");
    await connection.closed();
    closed.resolve();
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: { requestTimeoutMs: 50 } });
  const response = await fetch(test.origin);
  assert.equal(response.status, 504);
  assert.equal(response.headers.get("x-isola-error"), "REQUEST_TIMEOUT");
  await response.body?.cancel();
  await closed.promise;
});

Deno.test("the time for the head does not bound the body", async () => {
  await using isolate = new RawIsolate(async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write(`${OK}content-length: 2\r\n\r\nh`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await connection.write("i");
    await connection.closed();
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: { requestTimeoutMs: 200 } });
  assert.equal(await (await fetch(test.origin)).text(), "hi");
});

Deno.test("what a visitor cannot make two parsers disagree on: 31 smuggling attempts", async () => {
  const inner = "GET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n";
  const size = inner.length.toString(16);
  const attempts = [
    `GET / HTTP/1.1\r\nHOST\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`,
    `GET / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\n${size}\r\n${inner}\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\nHOST\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`,
    `HEAD / HTTP/1.1\r\nHOST\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`,
    `POST / HTTP/1.1\r\nHOST\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc`,
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    `POST / HTTP/1.1\r\nHOST\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n`,
    "POST / HTTP/1.1\r\nHOST\r\ncontent-length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHOST\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    `POST / HTTP/1.1\r\nHOST\r\ncontent-length: 3\r\ncontent-length: ${inner.length}\r\n\r\nabc`,
    "POST / HTTP/1.1\r\nHOST\r\ncontent-length: 0x3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHOST\r\ncontent-length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHOST\r\ncontent-length : 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHOST\r\nx: a\r\n content-length: 3\r\n\r\nabc",
    "\r\n\r\nGET / HTTP/1.1\r\nHOST\r\n\r\n",
    "GET / HTTP/1.1\r\nHOST\r\nx: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\nHOST\r\nx: a\0b\r\n\r\n",
    "GET / HTTP/1.2\r\nHOST\r\n\r\n",
    "GET / HTTP/2.0\r\nHOST\r\n\r\n",
    "GET / HTTP/1.1\r\nHOST\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    "GET / HTTP/1.1\r\nHOST\r\nconnection: content-length, host, transfer-encoding\r\ncontent-length: 3\r\n\r\nabc",
  ];
  assert.equal(attempts.length, 31);
  const targets: string[] = [];
  await using isolate = new RawIsolate(async (connection) => {
    for (let head; (head = await connection.readUntil("\r\n\r\n")) !== null;) {
      targets.push(head.split(" ", 2)[1]!);
      const length = /\r\ncontent-length: (\d+)/.exec(head);
      if (length?.[1] === String(inner.length)) await connection.readUntil("\r\n\r\n");
      else if (length?.[1] === "3") await connection.readUntil("abc");
      if (head.includes("chunked")) await connection.readUntil("0\r\n\r\n");
      await connection.write(`${OK}content-length: 0\r\n\r\n`);
    }
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  for (const attempt of attempts) {
    using visitor = await RawVisitor.send(test.port, attempt.replace("HOST", "host: shop.example"));
    // Some attempts leave the listener waiting for more, as they should.
    const timer = setTimeout(() => visitor[Symbol.dispose](), 500);
    await visitor.receive(/^HTTP\/1\.[01] \d+[^]*\r\n\r\n/);
    clearTimeout(timer);
  }
  assert.ok(targets.length >= 8);
  for (const target of targets) assert.equal(target, "http://shop.example/");
});

Deno.test("an isolate that sends without a pause leaves the runner to others", async () => {
  const floodMs = 3000;
  const pongs = new Uint8Array(65536).map((_, index) => index % 2 === 0 ? 0x8a : 0);
  await using isolate = new RawIsolate(async (connection) => {
    const head = await connection.readUntil("\r\n\r\n");
    const key = /sec-websocket-key: (.*)\r\n/.exec(head ?? "")?.[1];
    if (key === undefined) return await connection.readAll();
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    await connection.write(
      `HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    const end = Date.now() + floodMs;
    while (Date.now() < end) await connection.write(pongs);
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const { port } = test;
  const handshake = "GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  using socket = await RawVisitor.send(port, handshake);
  assert.notEqual(await socket.receive(/\r\n\r\n/), null);

  const startedAt = performance.now();
  for (let i = 0; i < 5; i++) {
    using visitor = await RawVisitor.send(
      port,
      "GET / HTTP/1.1\r\nhost: nobody.example\r\nconnection: close\r\n\r\n",
    );
    assert.match(await visitor.receiveAll(), /^HTTP\/1\.1 404 /);
  }
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < floodMs / 2, `five requests took ${tookMs} ms`);
});

Deno.test("a visitor who sends tiny chunks without a pause leaves the runner to others", async () => {
  await using isolate = new RawIsolate((connection) => connection.closed());
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const { port } = test;
  using uploader = await RawVisitor.send(
    port,
    "POST / HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\n\r\n",
  );
  const chunks = new TextEncoder().encode("1\r\na\r\n".repeat(40_000));
  const end = Date.now() + 3000;
  let answered = false;
  let sent = 0;
  const upload = (async () => {
    for (; !answered && Date.now() < end; sent++) await uploader.write(chunks);
  })();
  await until(() => sent >= 50);
  using visitor = await RawVisitor.send(
    port,
    "GET / HTTP/1.1\r\nhost: nobody.example\r\nconnection: close\r\n\r\n",
  );
  assert.match(await visitor.receiveAll(), /^HTTP\/1\.1 404 /);
  answered = true;
  assert.ok(Date.now() < end, "answered only after the upload");
  await upload;
});
