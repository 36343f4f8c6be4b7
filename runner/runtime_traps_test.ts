/** Behaviour of Deno that this layer was built around: a version that behaves differently is noticed here. */
import assert from "node:assert/strict";
import { AppIsolate } from "./testing/app_isolate.ts";
import { RawVisitor } from "./testing/raw_visitor.ts";
import { ServedVisitor } from "./testing/served_visitor.ts";
import { startTestRunner, until, untilStill } from "./testing/test_runner.ts";

const HOST = "host: shop.example\r\n";
const UPGRADE = `GET / HTTP/1.1\r\n${HOST}connection: upgrade\r\nupgrade: websocket\r\n` +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("`request.signal` of Deno.serve is silent after a good response, with `no-legacy-abort`", async () => {
  const signals: AbortSignal[] = [];
  await using app = AppIsolate.serving(async (request) => {
    signals.push(request.signal);
    return new Response(await request.text());
  });
  await using served = await ServedVisitor.connect(app.socketPath, {});
  for (
    const [head, body] of [["GET / HTTP/1.1\r\n", ""], ["POST / HTTP/1.1\r\ncontent-length: 5\r\n", "hello"]]
  ) {
    await served.visitor.write(`${head}${HOST}\r\n${body}`);
    assert.ok(await served.visitor.receive(new RegExp(`\r\n\r\n${body}$`)));
    served.visitor.received = "";
  }
  served.connection.close();
  await until(() => served.inFlight === 0);
  await turnOfEventLoop();
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false]);
});

Deno.test("that an upload is broken off Deno.serve tells by the body, and by `request.signal` only afterwards", async () => {
  const answer = Promise.withResolvers<Response>();
  const failed = Promise.withResolvers<void>();
  let signal: AbortSignal | null = null;
  await using app = AppIsolate.serving(async (request) => {
    signal = request.signal;
    await request.text().catch(() => failed.resolve());
    return await answer.promise;
  });
  await using served = await ServedVisitor.connect(app.socketPath, {});
  await served.visitor.write(`POST / HTTP/1.1\r\n${HOST}content-length: 10\r\n\r\nhello`);
  await until(() => signal !== null);
  served.connection.close();
  await failed.promise;
  await turnOfEventLoop();
  assert.equal(signal!.aborted, false);
  answer.resolve(new Response());
  await until(() => signal!.aborted);
});

Deno.test("closing a connection ends a write that waits", async () => {
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  using unix = Deno.listen({ transport: "unix", path });
  const pairs = [
    await Promise.all([Deno.connect({ port: tcp.addr.port }), tcp.accept()]),
    await Promise.all([Deno.connect({ transport: "unix", path }), unix.accept()]),
  ];
  for (const [sender, receiver] of pairs) {
    let sentBytes = 0;
    const sending = (async () => {
      const bytes = new Uint8Array(1024 * 1024);
      for (;;) sentBytes += await sender.write(bytes);
    })();
    sending.catch(() => {});
    await untilStill(() => sentBytes);
    sender.close();
    await assert.rejects(sending);
    receiver.close();
  }
  await Deno.remove(path);
});

Deno.test("a worker that prevents what errors do by default outlives them, as the runner's does", async () => {
  const program = `
    addEventListener("error", (event) => event.preventDefault());
    addEventListener("unhandledrejection", (event) => event.preventDefault());
    class Source extends EventTarget {}
    const source = new Source();
    source.addEventListener("message", () => { throw new Error("in a listener"); });
    setTimeout(() => { throw new Error("in a timer"); }, 0);
    Promise.reject(new Error("of nobody"));
    source.dispatchEvent(new Event("message"));
    onmessage = () => postMessage("alive");
    setTimeout(() => postMessage("alive"), 20);
  `;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(program)}`, { type: "module" });
  const answers = Promise.withResolvers<void>();
  let count = 0;
  worker.onmessage = ({ data }) => {
    assert.equal(data, "alive");
    if (++count === 1) worker.postMessage("still there?");
    else answers.resolve();
  };
  worker.onerror = (event) => answers.reject(new Error(event.message));
  await answers.promise;
  worker.terminate();
});

Deno.test("no WebSocket ends the runner, whose own they are, as one of Deno.upgradeWebSocket could", async () => {
  await using app = AppIsolate.serving((request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onerror = (event) => event.preventDefault();
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const port = Number(new URL(test.origin).port);
  const closeWith = (code: number) => [0x88, 0x82, 0, 0, 0, 0, code >> 8, code & 0xff];
  const odd = [
    [],
    [0x81, 0x85, 0, 0],
    [0xff, 0xff, 0xff],
    [0x81, 0x81, 0, 0, 0, 0, 0xff],
    [0x89, 0xfe, 0, 1],
    ...[0, 999, 1005, 1006, 1012, 1013, 1015, 2999, 5000].map(closeWith),
    [...closeWith(1000), ...closeWith(1000)],
  ];
  for (const bytes of odd) {
    for (const waits of [true, false]) {
      using visitor = await RawVisitor.send(port, UPGRADE);
      assert.ok(await visitor.receive(/\r\n\r\n/));
      await visitor.write(Uint8Array.from(bytes));
      if (waits && bytes.length > 4 && bytes[0] !== 0x89) await visitor.receiveAll();
    }
  }
  await until(async () => (await test.runner.inFlight()).length === 0);
  using visitor = await RawVisitor.send(port, UPGRADE);
  assert.ok(await visitor.receive(/\r\n\r\n/));
  await visitor.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69));
  assert.ok(await visitor.receive(/hi$/));
});

Deno.test("a drain lets an upload finish, which a shutdown of Deno.serve would break off", async () => {
  await using app = AppIsolate.serving(async (request) => new Response(await request.text()));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const head = `POST / HTTP/1.1\r\n${HOST}content-length: 10\r\n\r\n`;
  using visitor = await RawVisitor.send(Number(new URL(test.origin).port), `${head}hello`);
  await until(async () => ((await test.runner.usage())[0]?.ingressBytes ?? 0) > 0);
  const drained = test.runner.drain(10_000);
  // A question to the runner is answered after it has begun to drain.
  assert.deepEqual(await test.runner.inFlight(), ["i1"]);
  await visitor.write("again");
  assert.ok(await visitor.receive(/\r\n\r\nhelloagain$/));
  await drained;
});
