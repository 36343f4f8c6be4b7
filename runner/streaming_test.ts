import assert from "node:assert/strict";
import { AppIsolate } from "./testing/app_isolate.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { RawVisitor } from "./testing/raw_visitor.ts";
import { startTestRunner, until, untilStill } from "./testing/test_runner.ts";

const MIB = 1024 * 1024;
const HEAD = "host: shop.example\r\n";

Deno.test("server-sent events arrive one by one", async () => {
  let send!: (text: string) => void;
  let ended = false;
  await using app = AppIsolate.serving(() => {
    const stream = new ReadableStream<string>({
      start: (controller) => void (send = (text) => controller.enqueue(text)),
      cancel: () => void (ended = true),
    });
    return new Response(stream.pipeThrough(new TextEncoderStream()), {
      headers: { "content-type": "text/event-stream" },
    });
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(test.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
  await visitor.receive(/text\/event-stream[^]*\r\n\r\n/);
  for (let i = 0; i < 5; i++) {
    send(`data: ${i}\n\n`);
    assert.ok(await visitor.receive(new RegExp(`data: ${i}\n\n`)));
  }
  visitor[Symbol.dispose]();
  await until(() => ended);
});

Deno.test("a visitor who leaves aborts the app's request, before and after the head", async () => {
  const aborted: string[] = [];
  await using app = AppIsolate.serving((request) => {
    const path = new URL(request.url).pathname;
    request.signal.addEventListener("abort", () => aborted.push(path));
    if (path === "/head") {
      return new Promise<Response>((resolve) => request.signal.onabort = () => resolve(new Response()));
    }
    return new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }),
    );
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  for (const path of ["/head", "/body"]) {
    using visitor = await RawVisitor.send(test.port, `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`);
    if (path === "/body") await visitor.receive(/\r\n\r\na\r\n/);
    else await until(async () => (await test.runner.usage())[0]?.inFlight === 1);
    visitor[Symbol.dispose]();
    await until(() => aborted.includes(path));
  }
  await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
});

Deno.test("an app that ends its stream with an error ends the visitor's", async () => {
  await using app = AppIsolate.serving(() =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(10)),
        pull: (controller) => controller.error(new Error("broken on purpose")),
      }),
    )
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(test.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
  assert.ok(!(await visitor.receiveAll()).endsWith("0\r\n\r\n"));
  assert.deepEqual(test.broken, []);
});

Deno.test("a slow reader stops the app, not the memory", async () => {
  let produced = 0;
  await using app = AppIsolate.serving(() =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          produced += 65536;
          controller.enqueue(new Uint8Array(65536));
        },
      }, { highWaterMark: 0 }),
    )
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(test.port, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
  await visitor.receive(/\r\n\r\n/);
  await untilStill(() => produced);
  assert.ok(produced < 32 * MIB, `${produced} bytes were produced for nobody`);
});

Deno.test("a slow app stops the visitor's upload", async () => {
  const end = Promise.withResolvers<Response>();
  await using app = AppIsolate.serving(() => end.promise);
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}content-length: ${1024 * MIB}\r\n\r\n`,
  );
  let sent = 0;
  const upload = (async () => {
    const chunk = new Uint8Array(65536);
    for (;;) {
      await visitor.write(chunk);
      sent += chunk.length;
    }
  })().catch(() => {});
  await untilStill(() => sent);
  assert.ok(sent < 32 * MIB, `${sent} bytes were taken for nobody`);
  visitor[Symbol.dispose]();
  await upload;
  // `Deno.serve` sees that a visitor has left only while somebody reads the body.
  end.resolve(new Response());
  await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
});

Deno.test("128 MiB go through in each direction with flat memory", async () => {
  const size = 128 * MIB;
  await using app = AppIsolate.serving(async (request) => {
    let received = 0;
    for await (const chunk of request.body!) received += chunk.length;
    const chunk = new Uint8Array(65536);
    let left = size;
    const body = new ReadableStream({
      pull: (controller) => {
        controller.enqueue(chunk);
        left -= chunk.length;
        if (left === 0) controller.close();
      },
    }, { highWaterMark: 0 });
    return new Response(body, {
      headers: { "x-received": String(received), "content-length": String(size) },
    });
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}content-length: ${size}\r\n\r\n`,
  );
  const before = Deno.memoryUsage().rss;
  let peak = 0;
  const chunk = new Uint8Array(65536);
  for (let sent = 0; sent < size; sent += chunk.length) {
    await visitor.write(chunk);
    peak = Math.max(peak, Deno.memoryUsage().rss);
  }
  await visitor.receive(/\r\n\r\n/);
  assert.match(visitor.received, new RegExp(`x-received: ${size}\r\n`));
  let left = size - (visitor.received.length - visitor.received.indexOf("\r\n\r\n") - 4);
  for (; left > 0; left -= Math.min(left, MIB)) {
    assert.ok(await visitor.skip(Math.min(left, MIB)));
    peak = Math.max(peak, Deno.memoryUsage().rss);
  }
  // Visitor, runner and app are all in this process.
  assert.ok(peak - before < 100 * MIB, `${(peak - before) / MIB} MiB more`);
});

Deno.test("bodies of every framing and size arrive exactly, both ways", async () => {
  await using app = AppIsolate.serving((request) => new Response(request.body));
  await using test = await startTestRunner({ acquire: app.socketPath });
  for (const size of [0, 1, 4000, 4096, 65_535, 65_536, 65_537, 300_000]) {
    const body = new Uint8Array(size).map((_, i) => i * 7);
    const whole = await fetch(test.origin, { method: "POST", body });
    assert.deepEqual(await whole.bytes(), body, `${size} with a length`);
    const stream = new ReadableStream({
      start: (controller) => {
        for (let at = 0; at < size; at += 1000) controller.enqueue(body.slice(at, at + 1000));
        controller.close();
      },
    });
    const chunked = await fetch(test.origin, { method: "POST", body: stream });
    assert.deepEqual(await chunked.bytes(), body, `${size} in chunks`);
  }
});

Deno.test("an upload that begins late is seen by the app at once", async () => {
  const seen = Promise.withResolvers<void>();
  await using app = AppIsolate.serving(async (request) => {
    seen.resolve();
    return new Response(await request.text());
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}content-length: 5\r\n\r\n`,
  );
  await seen.promise;
  await visitor.write("hello");
  assert.ok(await visitor.receive(/\r\n\r\nhello$/));
});

Deno.test("Expect: 100-continue is answered here and not passed on", async () => {
  await using app = AppIsolate.serving(async (request) =>
    new Response(`${request.headers.has("expect")} ${await request.text()}`)
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}expect: 100-continue\r\ncontent-length: 2\r\n\r\n`,
  );
  assert.ok(await visitor.receive(/^HTTP\/1\.1 100 [^]*\r\n\r\n/));
  await visitor.write("hi");
  assert.ok(await visitor.receive(/\r\n\r\nfalse hi$/));
});

Deno.test("a response before the end of the upload is passed on and the rest dropped", async () => {
  await using app = AppIsolate.serving(() => new Response("too large", { status: 413 }));
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}content-length: ${100 * MIB}\r\n\r\n${"x".repeat(100_000)}`,
  );
  assert.ok(await visitor.receive(/^HTTP\/1\.1 413 [^]*too large$/));
  await until(async () => (await test.runner.usage())[0]!.inFlight === 0);
});

Deno.test("an app can answer while it reads", async () => {
  await using app = AppIsolate.serving((request) => new Response(request.body));
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\n`,
  );
  for (const word of ["one", "two", "three"]) {
    await visitor.write(`${word.length.toString(16)}\r\n${word}\r\n`);
    assert.ok(await visitor.receive(new RegExp(`${word}\r\n`)));
  }
  await visitor.write("0\r\n\r\n");
  assert.ok(await visitor.receive(/\r\n0\r\n\r\n$/));
});

Deno.test("an upload that the visitor breaks off is broken off for the app", async () => {
  const failed = Promise.withResolvers<void>();
  await using app = AppIsolate.serving(async (request) => {
    await request.text().catch(() => failed.resolve());
    return new Response();
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    `POST / HTTP/1.1\r\n${HEAD}content-length: 500\r\n\r\nabc`,
  );
  await until(async () => ((await test.runner.usage())[0]?.ingressBytes ?? 0) > 0);
  visitor[Symbol.dispose]();
  await failed.promise;
});

Deno.test("the connection of a visitor who asked for it is closed after an upload", async () => {
  await using app = AppIsolate.serving(async (request) => new Response(await request.text()));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const framings = [
    "content-length: 5\r\n\r\nhello",
    "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  ];
  for (const framing of framings) {
    using visitor = await RawVisitor.send(
      test.port,
      `POST / HTTP/1.1\r\n${HEAD}connection: close\r\n${framing}`,
    );
    assert.match(await visitor.receiveAll(), /^HTTP\/1\.1 200 [^]*hello/);
  }
});

Deno.test("what a GET claims as its body never becomes a request", async () => {
  const seen: string[] = [];
  await using isolate = new RawIsolate(async (connection) => {
    for (let head; (head = await connection.readUntil("\r\n\r\n")) !== null;) {
      seen.push(head.split(" ", 2)[1]!);
      assert.doesNotMatch(head, /content-length|transfer-encoding/);
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const inner = `GET /smuggled HTTP/1.1\r\n${HEAD}\r\n`;
  const bodies = [
    `content-length: ${inner.length}\r\n\r\n${inner}`,
    `transfer-encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
  ];
  for (const body of bodies) {
    using visitor = await RawVisitor.send(test.port, `GET /outer HTTP/1.1\r\n${HEAD}${body}`);
    await visitor.receive(/\r\n\r\n/);
    await visitor.write(`GET /last HTTP/1.1\r\n${HEAD}connection: close\r\n\r\n`);
    await visitor.receiveAll();
  }
  assert.ok(!seen.some((target) => target.includes("smuggled")), seen.join());
});
