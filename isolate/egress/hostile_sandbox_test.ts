import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { connectRequest, SocksClient } from "./testing/socks_client.ts";
import { TcpServer } from "./testing/tcp_server.ts";
import { TestProxy, until } from "./testing/test_proxy.ts";

Deno.test("whatever a sandbox sends, its other connections and its neighbours' go on", async () => {
  const random = new SeededRandom(1080);
  await using secret = TcpServer.echo();
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    allowPrivate: [`127.0.0.1:${server.port}`],
    // Mutated targets stay on this machine.
    net: ["127.0.0.1", "127.1", "[::1]", "localhost"],
    limits: { handshakeTimeoutMs: 50, connectionBurst: 10_000 },
  });
  const neighbour = test.open("s2");
  const encode = (text: string) => new TextEncoder().encode(text);
  const greeting = Uint8Array.of(5, 1, 0);
  const samples = [
    Uint8Array.of(...greeting, ...connectRequest("127.0.0.1", server.port), 1, 2, 3),
    Uint8Array.of(...greeting, ...connectRequest("127.1", secret.port)),
    Uint8Array.of(...greeting, ...connectRequest("::1", secret.port)),
    encode('{"resolve":{"name":"localhost","type":"A"}}\n'),
    encode("GET / HTTP/1.1\r\n\r\n"),
  ];
  const attack = async () => {
    const bytes = random.chance(0.2)
      ? crypto.getRandomValues(new Uint8Array(random.below(3000)))
      : random.mutate(random.pick(samples));
    using client = await SocksClient.open(test.socketPath);
    try {
      for (const piece of random.split(bytes)) await client.write(piece);
      if (random.chance(0.3)) return;
      await client.conn.closeWrite();
      await client.readText();
    } catch (error) {
      // The proxy ended the connection.
      assert.ok(
        error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset,
        `${error}`,
      );
    }
  };
  for (let round = 0; round < 40; round++) await Promise.all(Array.from({ length: 10 }, attack));
  for (const path of [test.socketPath, neighbour]) {
    using client = await SocksClient.open(path);
    assert.equal(await client.connect("127.0.0.1", server.port), 0);
    await client.write("still here");
    await client.conn.closeWrite();
    assert.equal(await client.readText(), "still here");
  }
  assert.equal(secret.accepted, 0);
});

Deno.test("a flood of connections is attended to at a rate", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    allowPrivate: ["127.0.0.1"],
    limits: { connections: 8, connectionsPerSecond: 1, connectionBurst: 8, refusalTimeoutMs: 100 },
  });
  const neighbour = test.open("s2");
  let over = false;
  const flood = Array.from({ length: 4 }, async () => {
    while (!over) {
      try {
        using client = await test.client();
        await client.write(Uint8Array.of(5, 1, 0, ...connectRequest("127.0.0.1", server.port)));
      } catch {
        // The queue of the socket is full, or the proxy ended the connection.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  });
  await until(() => test.usage.refused > 5);
  const startedAt = performance.now();
  const refusedBefore = test.usage.refused;
  for (let i = 0; i < 20; i++) {
    using client = await SocksClient.open(neighbour);
    // Of the neighbour's own rate; what counts is that there is an answer.
    await client.connect("127.0.0.1", server.port);
  }
  const refused = test.usage.refused - refusedBefore;
  over = true;
  await Promise.all(flood);
  assert.ok(refused <= 2 + (performance.now() - startedAt) / 10, `${refused}`);
});
