import assert from "node:assert/strict";
import { ShiftedClock } from "./testing/shifted_clock.ts";
import { TcpServer } from "./testing/tcp_server.ts";
import { TestProxy, type TestProxyOptions, until } from "./testing/test_proxy.ts";

const MIB = 1024 ** 2;

async function open(server: TcpServer, limits: TestProxyOptions["limits"] = {}) {
  const test = new TestProxy({ allowPrivate: ["127.0.0.1"], limits });
  const client = await test.client();
  assert.equal(await client.connect("127.0.0.1", server.port), 0);
  return { test, client };
}

Deno.test("each side may end its writing and still read", async () => {
  const seen = Promise.withResolvers<string>();
  await using server = new TcpServer(async (connection) => {
    await connection.write(new TextEncoder().encode("welcome"));
    await connection.closeWrite();
    seen.resolve(await new Response(connection.readable).text());
  });
  const { test, client } = await open(server);
  await using _ = test;
  using __ = client;
  assert.equal(await client.readText(), "welcome");
  await client.write("after your end");
  await client.conn.closeWrite();
  assert.equal(await seen.promise, "after your end");
});

Deno.test("large payloads arrive whole and are counted while the tunnel is open", async () => {
  await using server = TcpServer.echo();
  const { test, client } = await open(server);
  await using _ = test;
  using __ = client;
  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  const bytes = 2 * MIB;
  const writing = (async () => {
    for (let i = 0; i < bytes / sent.length; i++) await client.write(sent);
  })();
  const received = Uint8Array.from(await client.read(bytes));
  await writing;
  for (let at = 0; at < bytes; at += sent.length) {
    assert.ok(!received.subarray(at, at + sent.length).some((byte, i) => byte !== sent[i]));
  }
  await until(() => test.usage.egressBytes === bytes && test.usage.ingressBytes === bytes);
});

Deno.test("a side that does not read stops the other", async () => {
  const chunk = new Uint8Array(65_536);
  await using server = new TcpServer(async (connection) => {
    for (;;) await connection.write(chunk);
  });
  const { test, client } = await open(server);
  await using _ = test;
  using __ = client;
  let before = -1;
  await until(async () => {
    const same = test.usage.ingressBytes === before;
    before = test.usage.ingressBytes;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return same && before > 0;
  });
  // What the kernel holds for a unix socket; the proxy holds one chunk.
  assert.ok(before < 4 * MIB, `${before} bytes`);
  await client.read(before);
  await until(() => test.usage.ingressBytes > before);
});

Deno.test("a tunnel without a byte either way ends, a half-closed one sooner", async () => {
  await using server = new TcpServer((connection) => new Response(connection.readable).text());
  for (const halfClosed of [false, true]) {
    const limits = halfClosed ? { halfClosedTimeoutMs: 100 } : { idleTimeoutMs: 100 };
    const { test, client } = await open(server, limits);
    await using _ = test;
    using __ = client;
    if (halfClosed) await client.conn.closeWrite();
    assert.deepEqual(await client.read(1), []);
  }
});

Deno.test("a tunnel that is half-closed after a long silence still gets its answer", async () => {
  await using server = new TcpServer(async (connection) => {
    while (await connection.read(new Uint8Array(1)) !== null);
    await connection.write(new TextEncoder().encode("answer"));
  });
  using clock = new ShiftedClock();
  const { test, client } = await open(server);
  await using _ = test;
  using __ = client;
  clock.advance(5 * 60_000);
  await client.conn.closeWrite();
  assert.equal(await client.readText(), "answer");
});

Deno.test("bytes keep a tunnel alive", async () => {
  await using server = TcpServer.echo();
  const { test, client } = await open(server, { idleTimeoutMs: 1000 });
  await using _ = test;
  using __ = client;
  for (const endsAt = performance.now() + 1500; performance.now() < endsAt;) {
    await client.write(".");
    assert.equal((await client.read(1)).length, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("a target that resets ends the tunnel", async () => {
  await using server = new TcpServer(async (connection) => {
    await connection.read(new Uint8Array(1));
    // With bytes unread, closing is a reset.
    connection.close();
  });
  const { test, client } = await open(server);
  await using _ = test;
  using __ = client;
  await client.write("x".repeat(100_000));
  assert.deepEqual(await client.read(1), []);
});
