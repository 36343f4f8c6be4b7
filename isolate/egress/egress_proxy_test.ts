import assert from "node:assert/strict";
import { SocksClient } from "./testing/socks_client.ts";
import { TcpServer } from "./testing/tcp_server.ts";
import { fixedResolver, TestProxy, until } from "./testing/test_proxy.ts";

const OK = 0;
const FAILURE = 1;
const NOT_ALLOWED = 2;
const HOST_UNREACHABLE = 4;
const REFUSED = 5;
const TTL_EXPIRED = 6;
const COMMAND_NOT_SUPPORTED = 7;

Deno.test("a target that the operator allows is reached by name and by address", async () => {
  await using server = TcpServer.echo();
  const port = server.port;
  await using test = new TestProxy({ allowPrivate: [`127.0.0.1:${port}`, `localhost:${port}`] });
  for (const [host, asName] of [["127.0.0.1", false], ["127.0.0.1", true], ["LocalHost.", true]] as const) {
    using client = await test.client();
    assert.equal(await client.connect(host, port, asName), OK);
    await client.write("ping");
    await client.conn.closeWrite();
    assert.equal(await client.readText(), "ping");
  }
  assert.deepEqual(test.usage, { id: "s1", ingressBytes: 12, egressBytes: 12, connections: 3, refused: 0 });
  assert.equal(await test.connect("127.0.0.2", port), NOT_ALLOWED);
});

Deno.test("the reply carries the address that was dialed", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    allowPrivate: ["db.test"],
    resolver: fixedResolver({ "db.test": ["127.0.0.1"] }),
  });
  using client = await test.client();
  const { port } = server;
  // Everything at once, payload included.
  const name = new TextEncoder().encode("db.test");
  await client.write(
    Uint8Array.of(5, 1, 0, 5, 1, 0, 3, name.length, ...name, port >> 8, port & 0xff, 0x68, 0x69),
  );
  const expected = [5, 0, 5, 0, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff, 0x68, 0x69];
  assert.deepEqual(await client.read(expected.length), expected);
});

Deno.test("no spelling of a private address reaches this machine", async () => {
  await using v4 = TcpServer.echo("0.0.0.0");
  await using v6 = TcpServer.echo("::");
  await using test = new TestProxy({ allowPrivate: [`localhost:${v4.port + 1}`] });
  const own = Deno.networkInterfaces().flatMap(({ address, name }) => [address, `${address}%${name}`]);
  const spellings = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "127.1.",
    "0",
    "0.0.0.0",
    "::",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::FFFF:127.0.0.1",
    "::1%lo",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "localhost",
    "LOCALHOST",
    "localhost.",
    Deno.hostname(),
    "169.254.169.254",
    "１２７.0.0.1",
    "127.0.0.1\0.example.com",
    ...own,
  ];
  for (const spelling of spellings) {
    for (const server of [v4, v6]) {
      for (const asName of [false, true]) {
        const reply = await test.connect(spelling, server.port, asName);
        assert.ok([NOT_ALLOWED, HOST_UNREACHABLE].includes(reply), `${spelling}: ${reply}`);
      }
    }
  }
  assert.deepEqual([v4.accepted, v6.accepted, test.usage.connections], [0, 0, 0]);
});

Deno.test("a name is judged by what it resolves to when it is dialed", async () => {
  await using server = TcpServer.echo();
  let answers = 0;
  await using test = new TestProxy({
    resolver: {
      addresses: () => Promise.resolve([++answers === 1 ? "93.184.216.34" : "127.0.0.1"]),
      records: () => Promise.resolve([]),
    },
  });
  assert.deepEqual(await test.resolve("rebind.test", "A"), { records: ["93.184.216.34"] });
  assert.equal(await test.connect("rebind.test", server.port), NOT_ALLOWED);
  assert.equal(server.accepted, 0);
});

Deno.test("the machine's own addresses are not public, whatever they are", async () => {
  const original = Deno.networkInterfaces;
  const [first] = original();
  Deno.networkInterfaces = () => [{ ...first!, address: "93.184.216.34" }];
  try {
    await using test = new TestProxy({ resolver: fixedResolver({ "own.test": ["93.184.216.34"] }) });
    assert.equal(await test.connect("own.test", 80), NOT_ALLOWED);
    assert.equal(await test.connect("93.184.216.34", 80), NOT_ALLOWED);
    assert.equal((await test.resolve("own.test", "A")).error?.code, "EREFUSED");
  } finally {
    Deno.networkInterfaces = original;
  }
});

Deno.test("permissions.net bounds names, ports and addresses, and does not make a target public", async () => {
  await using server = TcpServer.echo();
  await using other = TcpServer.echo();
  await using test = new TestProxy({
    net: ["*.test", `10.9.8.7`, `ported.example:${server.port}`, "metadata.example"],
    allowPrivate: ["db.test", "ported.example", "unlisted.example"],
    resolver: fixedResolver({
      "db.test": ["127.0.0.1"],
      "hidden.test": ["127.0.0.1"],
      "ported.example": ["127.0.0.1"],
      "unlisted.example": ["127.0.0.1"],
      "metadata.example": ["169.254.169.254", "::1"],
    }),
  });
  const table: [host: string, port: number, reply: number][] = [
    ["db.test", server.port, OK],
    ["DB.test.", other.port, OK],
    ["hidden.test", server.port, NOT_ALLOWED],
    ["ported.example", server.port, OK],
    ["ported.example", other.port, NOT_ALLOWED],
    ["unlisted.example", server.port, NOT_ALLOWED],
    ["metadata.example", 80, NOT_ALLOWED],
    ["10.9.8.7", 80, NOT_ALLOWED],
    ["93.184.216.34", 80, NOT_ALLOWED],
    ["nothing.test", 80, HOST_UNREACHABLE],
  ];
  for (const [host, port, reply] of table) {
    assert.equal(await test.connect(host, port), reply, `${host}:${port}`);
  }
  assert.equal(test.usage.refused, table.filter(([, , reply]) => reply === NOT_ALLOWED).length);
});

Deno.test("nothing is allowed before the deployment is known, and nothing with an empty list", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({ allowPrivate: ["127.0.0.1"], net: [] });
  assert.equal(await test.connect("127.0.0.1", server.port), NOT_ALLOWED);
  test.proxy.allow("s1", ["127.0.0.1"]);
  assert.equal(await test.connect("127.0.0.1", server.port), OK);
  assert.throws(() => test.proxy.allow("s1", ["127.0.0.1:x"]), RangeError);
  const path = `${test.socketPath}-2`;
  test.proxy.open("s2", path);
  using client = await SocksClient.open(path);
  assert.equal(await client.connect("127.0.0.1", server.port), NOT_ALLOWED);
  assert.throws(() => test.proxy.open("s2", path), /it is open/);
});

Deno.test("an address that a sandbox resolved stands for its name there, and only there", async () => {
  await using server = TcpServer.echo();
  await using test = new TestProxy({
    net: [`db.test:${server.port}`],
    allowPrivate: ["db.test"],
    resolver: fixedResolver({ "db.test": ["127.0.0.1", "fd00::1"] }),
  });
  const neighbour = test.open("s2", [`db.test:${server.port}`]);
  assert.equal(await test.connect("127.0.0.1", server.port), NOT_ALLOWED);
  assert.deepEqual(await test.resolve("db.test", "A"), { records: ["127.0.0.1", "fd00::1"] });
  assert.equal(await test.connect("127.0.0.1", server.port), OK);
  assert.equal(await test.connect("127.0.0.1", server.port + 1), NOT_ALLOWED);
  using client = await SocksClient.open(neighbour);
  assert.equal(await client.connect("127.0.0.1", server.port), NOT_ALLOWED);
});

Deno.test("questions get public answers of allowed names, or the reason", async () => {
  const seen: string[] = [];
  await using test = new TestProxy({
    net: ["*.test", "*.arpa"],
    resolver: {
      addresses: (name, family) => {
        seen.push(`${name} ${family}`);
        return Promise.resolve(
          name === "mixed.test"
            ? ["127.0.0.1", "93.184.216.34", "fe80::1"]
            : name === "b.test"
            ? ["10.0.0.1"]
            : [],
        );
      },
      records: (name, type) => Promise.resolve([{ name, type }]),
    },
  });
  assert.deepEqual(await test.resolve("Mixed.test.", "A"), { records: ["93.184.216.34"] });
  assert.deepEqual(await test.resolve("x.test", "MX"), { records: [{ name: "x.test", type: "MX" }] });
  const refused = [
    ["b.test", "A", "EREFUSED"],
    ["other.example", "A", "EREFUSED"],
    ["other.example", "TXT", "EREFUSED"],
    ["none.test", "AAAA", "ENOTFOUND"],
    ["x.test", "ANY", "EBADQUERY"],
    ["x.test", "a", "EBADQUERY"],
    ["x.test", "constructor", "EBADQUERY"],
    ["not a name", "A", "EBADQUERY"],
    ["127.0.0.1", "A", "EBADQUERY"],
    ["5.0.0.10.in-addr.arpa", "PTR", "EREFUSED"],
  ] as const;
  for (const [name, type, code] of refused) {
    assert.equal((await test.resolve(name, type)).error?.code, code, `${name} ${type}`);
  }
  assert.deepEqual(seen, ["mixed.test 4", "b.test 4", "none.test 6"]);
  assert.equal(test.usage.refused, 4);
});

Deno.test("the machine's own resolver answers", async () => {
  await using test = new TestProxy({ allowPrivate: ["localhost"] });
  assert.ok((await test.resolve("localhost", "A")).records?.includes("127.0.0.1"));
  assert.equal((await test.resolve("does-not-exist.invalid", "A")).error?.code, "ENOTFOUND");
  assert.equal(await test.connect("does-not-exist.invalid", 80), HOST_UNREACHABLE);
});

Deno.test("a target that refuses, is late or cannot be asked for has its own reply", async () => {
  const hanging = Promise.withResolvers<string[]>();
  await using test = new TestProxy({
    allowPrivate: ["127.0.0.1", "localhost"],
    limits: { setupTimeoutMs: 100, dnsTimeoutMs: 50 },
    resolver: {
      addresses: (name) =>
        name === "broken.test" ? Promise.reject(new Error("out of luck")) : hanging.promise,
      records: (_name, _type, signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    },
  });
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  closed.close();
  assert.equal(await test.connect("127.0.0.1", closed.addr.port), REFUSED);
  assert.equal(await test.connect("late.test", 80), TTL_EXPIRED);
  assert.equal((await test.resolve("late.test", "A")).error?.code, "ETIMEOUT");
  assert.equal((await test.resolve("late.test", "TXT")).error?.code, "ETIMEOUT");
  assert.equal(await test.connect("broken.test", 80), FAILURE);
  hanging.resolve([]);
  for (const command of [2, 3]) {
    using client = await test.client();
    await client.write(Uint8Array.of(5, 1, 0, 5, command, 0, 1, 127, 0, 0, 1, 0, 80));
    assert.equal((await client.read(4))[3], COMMAND_NOT_SUPPORTED);
  }
  using client = await test.client();
  await client.write(Uint8Array.of(5, 1, 2));
  assert.deepEqual(await client.read(9), [5, 0xff]);
});

Deno.test("a silent address is given up for the next one, and no connection is left behind", async () => {
  // Its queue is full, so that further SYNs are dropped.
  const silent = Deno.listen({ hostname: "127.0.0.2", port: 0, tcpBacklog: 1 });
  const { port } = silent.addr;
  const waiting = [];
  for (let i = 0; i < 2; i++) waiting.push(await Deno.connect({ hostname: "127.0.0.2", port }));
  {
    const lively = Deno.listen({ hostname: "127.0.0.1", port });
    await using test = new TestProxy({
      allowPrivate: ["both.test", "127.0.0.2"],
      limits: { attemptTimeoutMs: 50, setupTimeoutMs: 2000 },
      resolver: fixedResolver({ "both.test": ["127.0.0.2", "127.0.0.1"] }),
    });
    const accepted = lively.accept();
    assert.equal(await test.connect("both.test", port), OK);
    (await accepted).close();
    lively.close();
    assert.equal(await test.connect("127.0.0.2", port), TTL_EXPIRED);
  }
  for (const connection of waiting) connection.close();
  silent.close();
});

Deno.test("closing ends all connections, whatever they are at, and answers the usage once", async () => {
  await using server = TcpServer.echo();
  const asked = Promise.withResolvers<void>();
  const hanging = Promise.withResolvers<string[]>();
  await using test = new TestProxy({
    allowPrivate: ["127.0.0.1"],
    resolver: {
      addresses: () => {
        asked.resolve();
        return hanging.promise;
      },
      records: () => Promise.resolve([]),
    },
  });
  using silent = await test.client();
  using tunnel = await test.client();
  assert.equal(await tunnel.connect("127.0.0.1", server.port), OK);
  await tunnel.write("ping");
  assert.equal((await tunnel.read(4)).length, 4);
  using resolving = await test.client();
  const reply = resolving.connect("slow.test", 80);
  await asked.promise;
  const usage = { id: "s1", ingressBytes: 4, egressBytes: 4, connections: 1, refused: 0 };
  assert.deepEqual(await test.proxy.close("s1"), usage);
  assert.equal(await test.proxy.close("s1"), null);
  assert.deepEqual([await silent.read(1), await tunnel.read(1), await reply], [[], [], undefined]);
  await assert.rejects(test.client());
  hanging.resolve([]);
  await until(() => test.proxy.usage().length === 0);
});
