import assert from "node:assert/strict";
import { type Egress, startEgress } from "./egress.ts";
import { SocksClient } from "./testing/socks_client.ts";
import { TcpServer } from "./testing/tcp_server.ts";

/** Leaves the thread and its sockets as they have to be left. */
async function withEgress(
  allowPrivate: string[],
  use: (egress: Egress, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "isola-egress-" });
  {
    await using egress = await startEgress({ allowPrivate });
    await use(egress, directory);
  }
  await Deno.remove(directory, { recursive: true });
}

Deno.test("a sandbox gets out through a thread of its own, and is measured there", async () => {
  await using server = TcpServer.echo();
  await withEgress([`127.0.0.1:${server.port}`], async (egress, directory) => {
    const path = `${directory}/s1.sock`;
    await egress.open("s1", path);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o666);
    {
      using client = await SocksClient.open(path);
      assert.equal(await client.connect("127.0.0.1", server.port), 2);
    }
    egress.allow("s1", true);
    using client = await SocksClient.open(path);
    assert.equal(await client.connect("127.0.0.1", server.port), 0);
    await client.write("ping");
    assert.equal((await client.read(4)).length, 4);
    const usage = { id: "s1", ingressBytes: 4, egressBytes: 4, connections: 1, refused: 1 };
    assert.deepEqual(await egress.usage(), [usage]);
    assert.deepEqual(await egress.close("s1"), usage);
    assert.deepEqual(await client.read(1), []);
    assert.deepEqual((await egress.close("s1")).egressBytes, 0);
    await assert.rejects(SocksClient.open(path));
  });
});

Deno.test("what cannot be opened or allowed is an error", async () => {
  await assert.rejects(startEgress({ allowPrivate: ["db.internal:5432", "*.internal"] }), RangeError);
  await withEgress([], async (egress, directory) => {
    await egress.open("s1", `${directory}/s1.sock`);
    await assert.rejects(egress.open("s1", `${directory}/other.sock`), /it is open/);
    await assert.rejects(egress.open("s2", `${directory}/none/s2.sock`), /No such file/);
    assert.throws(() => egress.allow("s1", ["a:b"]), RangeError);
  });
});

Deno.test("disposing the proxy ends its connections", async () => {
  await using server = TcpServer.echo();
  let left: SocksClient | undefined;
  await withEgress(["127.0.0.1"], async (egress, directory) => {
    await egress.open("s1", `${directory}/s1.sock`);
    egress.allow("s1", true);
    left = await SocksClient.open(`${directory}/s1.sock`);
    assert.equal(await left.connect("127.0.0.1", server.port), 0);
  });
  assert.deepEqual(await left!.read(1), []);
  left![Symbol.dispose]();
});
