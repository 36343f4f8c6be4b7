import assert from "node:assert/strict";
import type { Acquired } from "../contract.ts";
import { Leases } from "./leases.ts";
import { AppIsolate } from "../testing/app_isolate.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { startTestRunner, until } from "../testing/test_runner.ts";

const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const GET = "GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n";

/** An isolate whose answers wait for the test. */
function gated(): { isolate: RawIsolate; waiting: (() => void)[] } {
  const waiting: (() => void)[] = [];
  const isolate = new RawIsolate(async (connection, disposed) => {
    while (await connection.readUntil("\r\n\r\n") !== null) {
      const open = Promise.withResolvers<void>();
      waiting.push(open.resolve);
      await Promise.race([open.promise, disposed]);
      await connection.write(HELLO);
    }
  });
  return { isolate, waiting };
}

async function code(response: Promise<Response>): Promise<string | null> {
  const { headers, body } = await response;
  await body?.cancel();
  return headers.get("x-isola-error");
}

Deno.test("any number of first requests start one isolate", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  const granted = Promise.withResolvers<Acquired>();
  await using test = await startTestRunner({ acquire: () => granted.promise });
  const responses = Array.from({ length: 50 }, () => fetch(test.origin).then((response) => response.text()));
  await until(() => test.acquired.length > 0);
  granted.resolve({ isolateId: "i1", socketPath: isolate.socketPath });
  assert.deepEqual(await Promise.all(responses), Array(50).fill("hello"));
  assert.equal(test.acquired.length, 1);
});

Deno.test("a refusal is everybody's answer, and the next request asks again", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await startTestRunner({
    acquire: (call) =>
      call === 1
        ? { code: "BOOT_FAILURE", retryAfterS: 3 }
        : { isolateId: "i1", socketPath: isolate.socketPath },
  });
  const response = await fetch(test.origin);
  assert.equal(response.status, 502);
  assert.equal(response.headers.get("retry-after"), "3");
  await response.body?.cancel();
  assert.equal(await (await fetch(test.origin)).text(), "hello");
});

Deno.test("requests past maxConcurrency wait in order and get the places that become free", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: { maxConcurrency: 2 } });
  const responses = Array.from({ length: 5 }, () => fetch(test.origin).then((response) => response.text()));
  await until(() => waiting.length === 2);
  assert.equal((await test.runner.usage())[0]!.inFlight, 2);
  for (let i = 0; i < 5; i++) {
    await until(() => waiting.length > i);
    waiting[i]!();
  }
  assert.deepEqual(await Promise.all(responses), Array(5).fill("hello"));
  assert.equal(isolate.accepted, 2);
});

Deno.test("an isolate is told to be in use exactly while requests are in flight there", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  assert.deepEqual(await test.runner.inFlight(), []);
  const response = fetch(test.origin).then((response) => response.text());
  await until(() => waiting.length === 1);
  assert.deepEqual(await test.runner.inFlight(), ["i1"]);
  waiting[0]!();
  await response;
  await until(async () => (await test.runner.inFlight()).length === 0);
  await test.runner.drain(0);
  await test.runner[Symbol.asyncDispose]();
  assert.deepEqual(await test.runner.inFlight(), []);
});

Deno.test("a request that finds no place in time is OVERLOADED with Retry-After", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({
    acquire: isolate.socketPath,
    route: { maxConcurrency: 1 },
    options: { queueTimeoutMs: 50 },
  });
  const first = fetch(test.origin).then((response) => response.text());
  await until(() => waiting.length === 1);
  const second = await fetch(test.origin);
  assert.equal(second.status, 503);
  assert.equal(second.headers.get("x-isola-error"), "OVERLOADED");
  assert.equal(second.headers.get("retry-after"), "1");
  await second.body?.cancel();
  waiting[0]!();
  assert.equal(await first, "hello");
});

Deno.test("a visitor who leaves the queue takes no place", async () => {
  const busy = Promise.withResolvers<void>();
  const free = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection, disposed) => {
    for (let head; (head = await connection.readUntil("\r\n\r\n")) !== null;) {
      if (head.includes("/left ")) await disposed;
      if (head.includes("/first ")) {
        busy.resolve();
        await free.promise;
      }
      await connection.write(HELLO);
    }
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath, route: { maxConcurrency: 1 } });
  const first = fetch(`${test.origin}/first`).then((response) => response.text());
  await busy.promise;
  for (let i = 0; i < 5; i++) {
    using _ = await RawVisitor.send(test.port, "GET /left HTTP/1.1\r\nhost: shop.example\r\n\r\n");
  }
  const last = fetch(`${test.origin}/last`).then((response) => response.text());
  free.resolve();
  assert.deepEqual(await Promise.all([first, last]), ["hello", "hello"]);
});

Deno.test("an idle isolate is given back with what passed through it, and acquired again when needed", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await startTestRunner({ acquire: isolate.socketPath, options: { idleTimeoutMs: 50 } });
  assert.equal(await (await fetch(test.origin)).text(), "hello");
  await until(() => test.released.length === 1);
  assert.equal(test.released[0]!.isolateId, "i1");
  assert.equal(test.released[0]!.requests, 1);
  assert.deepEqual(await test.runner.usage(), []);
  assert.equal(await (await fetch(test.origin)).text(), "hello");
  assert.equal(test.acquired.length, 2);
});

Deno.test("a stream in progress is not idle", async () => {
  let end!: () => void;
  await using app = AppIsolate.serving(() =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(new Uint8Array(10));
          end = () => controller.close();
        },
      }),
    )
  );
  await using test = await startTestRunner({ acquire: app.socketPath, options: { idleTimeoutMs: 50 } });
  const response = await fetch(test.origin);
  const reader = response.body!.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(test.released, []);
  end();
  assert.ok((await reader.read()).done);
  await until(() => test.released.length === 1);
});

Deno.test("a recalled isolate is given back only if nobody is in it", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const first = fetch(test.origin).then((response) => response.text());
  await until(() => waiting.length === 1);
  assert.equal(await test.runner.recall("i1"), false);
  waiting[0]!();
  await first;
  assert.equal(await test.runner.recall("i1"), true);
  assert.equal(test.released.length, 1);
  assert.equal(await test.runner.recall("i1"), true);
  assert.equal(await test.runner.recall("unknown"), true);
  assert.equal(test.released.length, 1);
});

Deno.test("requests in flight in an isolate that ended get its code", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const responses = [fetch(test.origin), fetch(test.origin)];
  await until(() => waiting.length === 2);
  // The process may be gone while its socket is not yet.
  test.runner.ended("i1", "MEMORY_LIMIT");
  for (const response of responses) assert.equal(await code(response), "MEMORY_LIMIT");
  assert.equal(test.released.length, 1);
});

Deno.test("the reason of an end may come after the end of the connection", async () => {
  const requested = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    await connection.readUntil("\r\n\r\n");
    requested.resolve();
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const response = fetch(test.origin);
  await requested.promise;
  await new Promise((resolve) => setTimeout(resolve, 50));
  test.runner.ended("i1", "TIME_LIMIT");
  assert.equal(await code(response), "TIME_LIMIT");
});

Deno.test("a stream of an isolate that ended is cut, and what was sent before arrives", async () => {
  await using isolate = new RawIsolate(async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    await connection.closed();
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  using visitor = await RawVisitor.send(test.port, GET);
  assert.ok(await visitor.receive(/\r\n\r\nhello/));
  test.runner.ended("i1", "MEMORY_LIMIT");
  assert.ok((await visitor.receiveAll()).endsWith("hello"));
});

Deno.test("requests that wait for a place go to the next isolate when theirs ends", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using next = RawIsolate.answering(HELLO);
  await using test = await startTestRunner({
    acquire: (call) => ({ isolateId: `i${call}`, socketPath: (call === 1 ? isolate : next).socketPath }),
    route: { maxConcurrency: 1 },
  });
  const first = code(fetch(test.origin));
  await until(() => waiting.length === 1);
  const queued = fetch(test.origin).then((response) => response.text());
  await until(() => isolate.accepted === 1);
  test.runner.ended("i1", "ISOLATE_CRASHED");
  assert.equal(await first, "ISOLATE_CRASHED");
  assert.equal(await queued, "hello");
});

Deno.test("an isolate that nobody listens in is broken, and the request goes to another", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await startTestRunner({
    acquire: (call) => ({ isolateId: `i${call}`, socketPath: call < 3 ? "/nowhere" : isolate.socketPath }),
  });
  assert.equal(await (await fetch(test.origin, { method: "POST", body: "hi" })).text(), "hello");
  assert.deepEqual(test.broken.map(({ usage, code }) => [usage.isolateId, code]), [
    ["i1", "ISOLATE_CRASHED"],
    ["i2", "ISOLATE_CRASHED"],
  ]);
});

Deno.test("a request is tried three times at most", async () => {
  await using test = await startTestRunner({
    acquire: (call) => ({ isolateId: `i${call}`, socketPath: "/nowhere" }),
  });
  assert.equal(await code(fetch(test.origin)), "ISOLATE_CRASHED");
  assert.equal(test.acquired.length, 3);
});

Deno.test("a table changes where it is told to, and what is in flight goes on", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const first = fetch(test.origin).then((response) => response.text());
  await until(() => waiting.length === 1);
  test.runner.changeRoutes(new Map([["localhost", null]]));
  await test.runner.usage();
  assert.equal(await code(fetch(test.origin)), "DEPLOYMENT_NOT_FOUND");
  waiting[0]!();
  assert.equal(await first, "hello");
  const route = { deploymentId: "d2", maxConcurrency: 100, requestTimeoutMs: 0 };
  test.runner.changeRoutes(new Map([["localhost", route], ["unknown.example", null]]));
  await test.runner.usage();
  const second = fetch(test.origin).then((response) => response.text());
  await until(() => waiting.length === 2);
  waiting[1]!();
  assert.equal(await second, "hello");
  assert.deepEqual(test.acquired, ["d1", "d2"]);
});

Deno.test("a drain accepts nothing new, finishes what is in flight and gives everything back", async () => {
  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const first = fetch(test.origin);
  await until(() => waiting.length === 1);
  const drained = test.runner.drain(10_000);
  await until(() =>
    RawVisitor.send(test.port, "").then((visitor) => visitor[Symbol.dispose](), () => "refused").then((
      r,
    ) => r === "refused")
  );
  waiting[0]!();
  const response = await first;
  assert.equal(response.headers.get("connection"), "close");
  assert.equal(await response.text(), "hello");
  await drained;
  assert.equal(test.released.length, 1);
});

Deno.test("a drain waits for uploads and not beyond its deadline", async () => {
  await using app = AppIsolate.serving(async (request) => new Response(await request.text()));
  await using test = await startTestRunner({ acquire: app.socketPath });
  using visitor = await RawVisitor.send(
    test.port,
    "POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 4\r\n\r\nab",
  );
  await until(async () => ((await test.runner.usage())[0]?.ingressBytes ?? 0) > 0);
  const drained = test.runner.drain(10_000);
  await visitor.write("cd");
  assert.ok(await visitor.receive(/\r\n\r\nabcd$/));
  await drained;

  const { isolate, waiting } = gated();
  await using _ = isolate;
  await using stuck = await startTestRunner({ acquire: isolate.socketPath });
  using _visitor = await RawVisitor.send(stuck.port, GET);
  await until(() => waiting.length === 1);
  const before = Date.now();
  await stuck.runner.drain(100);
  assert.ok(Date.now() - before < 4000);
  assert.equal(stuck.released.length, 1);
});

Deno.test("runners can share a port", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using one = await startTestRunner({ acquire: isolate.socketPath });
  const { http } = one.runner;
  await using two = await startTestRunner({
    acquire: isolate.socketPath,
    options: { http },
  });
  await until(async () => {
    using visitor = await RawVisitor.send(http.port, GET);
    assert.ok(await visitor.receive(/hello$/));
    return one.acquired.length > 0 && two.acquired.length > 0;
  });
});

Deno.test("a runner that cannot listen says so", async () => {
  using foreign = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assert.rejects(
    startTestRunner({ acquire: "/nowhere", options: { http: foreign.addr } }),
    /Cannot start runner: .*in use/i,
  );
});

Deno.test("thousands of deployments that are used once leave nothing behind", async () => {
  const released: string[] = [];
  using leases = new Leases({ idleTimeoutMs: 20, queueTimeoutMs: 5000 }, {
    acquire: (id): Promise<Acquired> =>
      Promise.resolve(
        id.endsWith("7") ? { code: "DEPLOYMENT_NOT_FOUND" } : { isolateId: id, socketPath: "/" },
      ),
    release: ({ isolateId }) => void released.push(isolateId),
    broken() {},
  });
  const { signal } = new AbortController();
  const ids = Array.from({ length: 5000 }, (_, i) => `acme/d${i}`);
  const targets = ids.map((id) => leases.target(id));
  await Promise.all(targets.map(async (target) => {
    const upstream = await target.wait({ maxConcurrency: 1, signal }).catch(() => null);
    upstream?.leave(false);
  }));
  await until(() => released.length === 4500);
  assert.deepEqual(leases.usage(), []);
  await until(() => ids.every((id, i) => leases.target(id) !== targets[i]));
});
