import assert from "node:assert/strict";
import { SocksClient } from "./testing/socks_client.ts";
import { TcpServer } from "./testing/tcp_server.ts";
import { TestProxy, until } from "./testing/test_proxy.ts";

const OK = 0;
const FAILURE = 1;

/** Opens a tunnel, or answers the reply's code. */
async function tunnel(socketPath: string, port: number): Promise<SocksClient | number> {
  const client = await SocksClient.open(socketPath);
  const reply = await client.connect("127.0.0.1", port);
  if (reply === OK) return client;
  client[Symbol.dispose]();
  return reply;
}

Deno.test("connections past a sandbox's bound are refused until one ends, and its neighbours are not", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({ allowPrivate: ["127.0.0.1"], limits: { connections: 3 } });
  using clients = new DisposableStack();
  const opened = [];
  for (let i = 0; i < 3; i++) {
    const client = await tunnel(test.socketPath, server.port);
    assert.ok(client instanceof SocksClient);
    opened.push(clients.use(client));
  }
  assert.equal(await tunnel(test.socketPath, server.port), FAILURE);
  assert.equal((await test.resolve("localhost", "A")).error?.code, "EREFUSED");
  assert.equal(test.usage.refused, 2);
  clients.use(await tunnel(test.open("s2"), server.port) as SocksClient);
  await opened[0]!.conn.closeWrite();
  await opened[0]!.readText();
  await until(async () => {
    const client = await tunnel(test.socketPath, server.port);
    if (typeof client === "number") return false;
    clients.use(client);
    return true;
  });
});

Deno.test("the last connections of the proxy are not for who has most", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    allowPrivate: ["127.0.0.1"],
    limits: { totalConnections: 8, refusalTimeoutMs: 10_000 },
  });
  using clients = new DisposableStack();
  const open = async (socketPath: string) => {
    for (let i = 0;; i++) {
      const client = await tunnel(socketPath, server.port);
      if (typeof client === "number") return i;
      clients.use(client);
    }
  };
  const opened = [];
  for (const path of [test.socketPath, test.open("s2"), test.open("s3")]) {
    opened.push(await open(path));
    // The refused one counts until it is gone.
    const tunnels = opened.reduce((sum, count) => sum + count, 0);
    await until(() => test.proxy.usage().reduce((sum, { connections }) => sum + connections, 0) === tunnels);
  }
  assert.deepEqual(opened.map((count) => count > 0), [true, true, true], `${opened}`);
  assert.ok(opened[0]! <= 4);
});

Deno.test("new connections are limited to a rate", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    allowPrivate: ["127.0.0.1"],
    limits: { connectionsPerSecond: 0.001, connectionBurst: 5 },
  });
  const replies = [];
  for (let i = 0; i < 8; i++) replies.push(await test.connect("127.0.0.1", server.port));
  assert.deepEqual(replies, [OK, OK, OK, OK, OK, FAILURE, FAILURE, FAILURE]);
});

Deno.test("connections to be set up wait for their turn", async () => {
  let resolving = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    allowPrivate: ["slow.test"],
    limits: { settingUp: 4 },
    resolver: {
      addresses: async () => {
        most = Math.max(most, ++resolving);
        await new Promise<void>((resolve) => waiting.push(resolve));
        resolving--;
        return ["127.0.0.1"];
      },
      records: () => Promise.resolve([]),
    },
  });
  const replies = Promise.all(Array.from({ length: 10 }, () => test.connect("slow.test", server.port)));
  for (let answered = 0; answered < 10; answered++) {
    await until(() => waiting.length > 0);
    waiting.shift()!();
  }
  assert.deepEqual(await replies, Array(10).fill(OK));
  assert.equal(most, 4);
});

Deno.test("an incomplete request is not waited for beyond its time", async () => {
  await using test = new TestProxy({ limits: { handshakeTimeoutMs: 50 } });
  for (const bytes of [[], [5], [5, 1, 0], [5, 1, 0, 5, 1, 0, 1, 127], [0x7b, 0x22]]) {
    using client = await test.client();
    await client.write(Uint8Array.from(bytes));
    assert.ok((await client.read(3)).length <= 2);
  }
});
