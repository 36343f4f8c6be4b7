import assert from "node:assert/strict";
import { steerHere } from "./steering.ts";

const CONNECTIONS = 60;

/** Another process that listens on the address, and says "other" to each connection. */
async function startOther(port: number, listeners: number) {
  const program = `
    const all = Array.from({ length: ${listeners} }, () =>
      Deno.listen({ hostname: "127.0.0.1", port: ${port}, reusePort: true }));
    for (const listener of all) {
      (async () => {
        for await (const connection of listener) {
          await connection.write(new TextEncoder().encode("other"));
          connection.close();
        }
      })();
    }
    console.log("ready");
    for await (const _ of Deno.stdin.readable) {
      all.shift().close();
      console.log("closed");
    }
    Deno.exit();
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--unstable-net", program],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const said = child.stdout.getReader();
  const orders = child.stdin.getWriter();
  await said.read();
  return {
    /** Its oldest listener. */
    async closeOne() {
      await orders.write(new Uint8Array(1));
      await said.read();
    },
    async [Symbol.asyncDispose]() {
      await orders.close();
      await said.cancel();
      await child.status;
    },
  };
}

/** How many connections this process gets, and another one. */
async function countVisits(port: number): Promise<{ here: number; other: number }> {
  const visits = { here: 0, other: 0 };
  for (let count = 0; count < CONNECTIONS; count++) {
    const response = await new Response((await Deno.connect({ port })).readable).text();
    visits[response as "here" | "other"]++;
  }
  return visits;
}

Deno.test("of an address that two processes share, one can have all new connections, also while the other's listeners close", async () => {
  const own: Deno.Listener[] = [];
  const listen = (port: number) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port, reusePort: true });
    own.push(listener);
    (async () => {
      for await (const connection of listener) {
        await connection.write(new TextEncoder().encode("here"));
        connection.close();
      }
    })();
    return listener.addr.port;
  };
  // The order counts: the other process comes first.
  const port = freePort();
  await using other = await startOther(port, 2);
  for (let count = 0; count < 3; count++) listen(port);
  {
    using _steering = steerHere();
    for (let closed = 0; closed < 2; closed++) {
      assert.deepEqual(await countVisits(port), { here: CONNECTIONS, other: 0 });
      await other.closeOne();
    }
    assert.deepEqual(await countVisits(port), { here: CONNECTIONS, other: 0 });
  }
  for (const listener of own) listener.close();
});

Deno.test("without steering, or after it, the kernel chooses among all", async () => {
  const port = freePort();
  await using _other = await startOther(port, 1);
  using listener = Deno.listen({ hostname: "127.0.0.1", port, reusePort: true });
  const accepting = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("here"));
      connection.close();
    }
  })();
  {
    using _steering = steerHere();
    assert.equal((await countVisits(port)).other, 0);
  }
  const { here, other } = await countVisits(port);
  assert(here > 0 && other > 0, `${here} here, ${other} there`);
  listener.close();
  await accepting;
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
