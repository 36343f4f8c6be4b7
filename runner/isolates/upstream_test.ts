import assert from "node:assert/strict";
import { GatewayError } from "../errors.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { until } from "../testing/test_runner.ts";
import { Upstream } from "./upstream.ts";

const GET = bytes("GET http://shop.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n");
const MIB = 1024 * 1024;
const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/** Who stays. */
const VISITOR = { gone: false, watch() {}, unwatch() {} };

function bytes(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (char) => char.charCodeAt(0));
}

function upstreamOf(isolate: RawIsolate): Upstream {
  return new Upstream({ isolateId: "i1", socketPath: isolate.socketPath, onLeave() {}, onBroken() {} });
}

/** Sends a request and reads its response. */
async function exchange(upstream: Upstream) {
  const connection = (await upstream.send(GET, VISITOR))!;
  assert.equal((await connection.readHead("GET"))?.status, 200);
  return connection;
}

Deno.test("a kept connection that the isolate closed is not used again", async () => {
  const close = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write(HELLO);
    await close.promise;
  });
  const upstream = upstreamOf(isolate);
  const first = await exchange(upstream);
  upstream.give(first, true);
  close.resolve();
  await until(() => first.closed);
  const second = await exchange(upstream);
  assert.notEqual(second, first);
  upstream.close();
});

Deno.test("a kept connection that speaks unasked is closed", async () => {
  const speak = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write(HELLO);
    await speak.promise;
    await connection.write(HELLO);
    await connection.closed();
  });
  const upstream = upstreamOf(isolate);
  const first = await exchange(upstream);
  upstream.give(first, true);
  speak.resolve();
  await until(() => first.closed);
  upstream.close();
});

Deno.test("connections that rest for long are closed, and a retired upstream keeps none", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  const upstream = upstreamOf(isolate);
  const first = await exchange(upstream);
  upstream.give(first, true);
  upstream.sweep(Date.now());
  assert.equal(first.closed, false);
  assert.equal(await exchange(upstream), first);
  upstream.give(first, true);
  upstream.sweep(Date.now() + 10_000);
  assert.equal(first.closed, true);
  const second = await exchange(upstream);
  upstream.retire();
  assert.equal(second.closed, false);
  upstream.give(second, true);
  assert.equal(second.closed, true);
});

Deno.test("who leaves while the isolate takes nothing has its request broken off", async () => {
  const leave = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection) => {
    // The first bytes of it are there when it is accepted.
    await connection.readUntil("HTTP/1.1");
    await leave.promise;
    await connection.closed();
    closed.resolve();
  });
  const upstream = upstreamOf(isolate);
  const visitor = {
    gone: false,
    watch: (onGone: () => void) => void leave.promise.then(onGone),
    unwatch() {},
  };
  const sending = upstream.send(bytes(`GET / HTTP/1.1\r\n${"x".repeat(MIB)}`), visitor);
  await until(() => upstream.usage.ingressBytes > 0);
  visitor.gone = true;
  leave.resolve();
  await assert.rejects(
    sending,
    (error: unknown) => error instanceof GatewayError && error.code === "BAD_REQUEST",
  );
  await closed.promise;
  upstream.close();
});

Deno.test("a request of any size and alphabet arrives byte for byte", async () => {
  const received: string[] = [];
  await using isolate = new RawIsolate(async (connection) => {
    for (let head; (head = await connection.readUntil("\r\n\r\nbody")) !== null;) {
      received.push(head);
      await connection.write(HELLO);
    }
  });
  const upstream = upstreamOf(isolate);
  for (
    const value of ["plain", "\xe9\xff\x80", "x".repeat(4000), "x".repeat(60_000), "\xe9".repeat(60_000)]
  ) {
    const head = `POST / HTTP/1.1\r\nx-a: ${value}\r\n\r\n`;
    const connection = (await upstream.send(bytes(`${head}body`), VISITOR))!;
    await connection.readHead("POST");
    upstream.give(connection, true);
    assert.equal(received.pop(), `${head}body`);
  }
  assert.equal(isolate.accepted, 1);
  upstream.close();
});
