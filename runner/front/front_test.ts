import assert from "node:assert/strict";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { until } from "../testing/test_runner.ts";
import { makeCertificate } from "./testing/certificates.ts";
import { helloMessage, records } from "./testing/hello.ts";
import type { Resets } from "./testing/resetting_visitor.ts";
import { TestFront } from "./testing/test_front.ts";

const LOOPBACK = ["127.0.0.0/8"];
const V2 = Uint8Array.from([
  ...[13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11, 0, 12],
  ...[192, 0, 2, 9, 127, 0, 0, 1, 0x30, 0x39, 0, 80],
]);

/** Whether a visitor is heard. */
async function isServed(visitor: RawVisitor): Promise<boolean> {
  visitor.received = "";
  await visitor.write("hello").catch(() => {});
  return await visitor.receive(/hello$/) !== null;
}

Deno.test("A plain connection is handed on at once, with the address of its peer", async () => {
  await using front = new TestFront();
  using visitor = await RawVisitor.send(front.port, "");
  await until(() => front.visitors.length === 1);
  const { peer, received, protocol } = front.visitors[0]!;
  assert.equal(peer.hostname, "127.0.0.1");
  assert.equal(peer.certificate, undefined);
  assert.equal(received.length, 0);
  assert.equal(protocol, null);
  assert.ok(await isServed(visitor));
});

Deno.test("A stopped front accepts nobody and cuts who is half open; who is served goes on until it closes", async () => {
  await using front = new TestFront({ proxyProtocol: LOOPBACK });
  using served = await RawVisitor.send(front.port, "PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n");
  using halfOpen = await RawVisitor.send(front.port, "PROXY ");
  assert.ok(await isServed(served));
  await until(() => front.front.size === 2);
  front.front.stop();
  assert.equal(await halfOpen.receiveAll(), "");
  await assert.rejects(() => RawVisitor.send(front.port, ""), Deno.errors.ConnectionRefused);
  assert.ok(await isServed(served));
  front.front.close();
  assert.ok(!await isServed(served));
});

Deno.test("Visitors who leave before they are accepted make nobody wait", async () => {
  await using front = new TestFront();
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(import.meta.resolve("./testing/resetting_visitor.ts"), { type: "module" });
  worker.postMessage({ port: front.port, count: 400, done } satisfies Resets);
  // Nothing is accepted meanwhile.
  assert.notEqual(Atomics.wait(done, 0, 0, 10_000), "timed-out");
  worker.terminate();
  using visitor = await RawVisitor.send(front.port, "");
  const startedAt = performance.now();
  assert.ok(await isServed(visitor));
  assert.ok(performance.now() - startedAt < 5000);
});

Deno.test("A visitor is who the PROXY header says, however it is split; what follows it is not lost", async () => {
  await using front = new TestFront({ proxyProtocol: LOOPBACK });
  const first = new TextEncoder().encode("PROXY TCP6 2001:db8::7 ::1 4000 80\r\n");
  for (const [header, hostname, port] of [[first, "2001:db8::7", 4000], [V2, "192.0.2.9", 12345]] as const) {
    for (const isSplit of [false, true]) {
      using visitor = await RawVisitor.send(front.port, "");
      const bytes = Uint8Array.from([...header, ...new TextEncoder().encode("more")]);
      for (const part of isSplit ? [...bytes].map((byte) => Uint8Array.of(byte)) : [bytes]) {
        await visitor.write(part);
      }
      assert.ok(await visitor.receive(/^more$/));
      const { peer } = front.visitors.at(-1)!;
      assert.deepEqual({ hostname: peer.hostname, port: peer.port }, { hostname, port });
    }
  }
});

Deno.test("A proxy that speaks for itself is known by its own address", async () => {
  await using front = new TestFront({ proxyProtocol: LOOPBACK, limits: { maxConnectionsPerAddress: 1 } });
  const visitors: RawVisitor[] = [];
  for (let i = 0; i < 3; i++) {
    const visitor = await RawVisitor.send(front.port, "PROXY UNKNOWN\r\n");
    visitors.push(visitor);
    assert.ok(await isServed(visitor));
    assert.equal(front.visitors.at(-1)!.peer.hostname, "127.0.0.1");
  }
  for (const visitor of visitors) visitor[Symbol.dispose]();
});

Deno.test("A proxy that names its visitors in each request has any number of connections", async () => {
  await using front = new TestFront({ forwardedFor: LOOPBACK, limits: { maxConnectionsPerAddress: 1 } });
  const visitors = await Promise.all([1, 2, 3].map(() => RawVisitor.send(front.port, "hello")));
  for (const visitor of visitors) {
    assert.ok(await isServed(visitor));
    visitor[Symbol.dispose]();
  }
});

Deno.test("A PROXY header is required of whom it is expected, and is nothing from others", async () => {
  await using proxied = new TestFront({ proxyProtocol: LOOPBACK });
  using bare = await RawVisitor.send(proxied.port, "GET / HTTP/1.1\r\n");
  assert.equal(await bare.receiveAll(), "");
  assert.equal(proxied.visitors.length, 0);

  await using direct = new TestFront({ proxyProtocol: ["192.0.2.0/24"] });
  using forger = await RawVisitor.send(direct.port, "PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n");
  assert.ok(await forger.receive(/^PROXY TCP4 .*\r\n$/), "part of what the visitor says");
  assert.equal(direct.visitors[0]!.peer.hostname, "127.0.0.1");

  await using secured = new TestFront({ certificates: [] });
  using stranger = await RawVisitor.send(secured.port, "");
  await stranger.write(V2);
  assert.equal(await stranger.receiveAll(), "");
});

Deno.test("One address has a number of connections, counted for whom a proxy speaks; others are not affected", async () => {
  await using front = new TestFront({ proxyProtocol: LOOPBACK, limits: { maxConnectionsPerAddress: 2 } });
  const of = (address: string) => RawVisitor.send(front.port, `PROXY TCP4 ${address} 192.0.2.1 4000 80\r\n`);
  using one = await of("192.0.2.7");
  using two = await of("192.0.2.7");
  assert.ok(await isServed(one) && await isServed(two));
  using three = await of("192.0.2.7");
  assert.ok(!await isServed(three));
  using other = await of("192.0.2.8");
  assert.ok(await isServed(other));
  one[Symbol.dispose]();
  await until(() => front.front.size === 2);
  using again = await of("192.0.2.7");
  assert.ok(await isServed(again));
});

Deno.test("When all places are taken, who is half open goes first, and then whoever is turned away is", async () => {
  await using front = new TestFront({
    proxyProtocol: ["127.0.0.2"],
    certificates: [],
    limits: { maxConnections: 2 },
  });
  using oldest = await RawVisitor.send(front.port, "\x16");
  await until(() => front.front.size === 1);
  using older = await RawVisitor.send(front.port, "\x16");
  await until(() => front.front.size === 2);
  using newest = await RawVisitor.send(front.port, "\x16");
  assert.equal(await oldest.receiveAll(), "");
  assert.equal(front.admission.connections, 2);
  older[Symbol.dispose]();
  newest[Symbol.dispose]();

  await using full = new TestFront({ limits: { maxConnections: 1 } });
  using served = await RawVisitor.send(full.port, "");
  assert.ok(await isServed(served));
  using late = await RawVisitor.send(full.port, "");
  assert.ok(!await isServed(late));
  assert.ok(await isServed(served));
});

Deno.test("Half-open connections are gone in time, whatever they drip, while good visitors are served", async () => {
  const certificate = await makeCertificate("localhost");
  await using front = new TestFront({ certificates: [certificate], limits: { handshakeTimeoutMs: 400 } });
  const hello = records(helloMessage({ serverName: "localhost" }));
  const starts = [new Uint8Array(0), Uint8Array.of(22), hello.subarray(0, 40), hello];
  const halfOpen = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const visitor = await RawVisitor.send(front.port, "");
    await visitor.write(starts[i % starts.length]!);
    return visitor;
  }));
  await until(() => front.front.size === 200);
  const conn = await Deno.connectTls({
    hostname: "localhost",
    port: front.port,
    caCerts: [certificate.chain],
  });
  await conn.handshake();
  const dripping = setInterval(() => {
    for (const visitor of halfOpen) visitor.write(new Uint8Array(1)).catch(() => {});
  }, 50);
  await Promise.all(halfOpen.map((visitor) => visitor.receiveAll()));
  clearInterval(dripping);
  await until(() => front.front.size === 1);
  assert.equal(front.admission.connections, 1);
  await conn.write(new TextEncoder().encode("still here"));
  assert.equal(await conn.read(new Uint8Array(100)), 10);
  conn.close();
  for (const visitor of halfOpen) visitor[Symbol.dispose]();
});

Deno.test("Who waits for a certificate that does not come is turned away in time", async () => {
  const never = Promise.withResolvers<void>();
  await using front = new TestFront({
    certificates: [],
    limits: { handshakeTimeoutMs: 200 },
    wantCertificate: () => never.promise,
  });
  using visitor = await RawVisitor.send(front.port, "");
  await visitor.write(records(helloMessage()));
  assert.equal(await visitor.receiveAll(), "");
  assert.deepEqual(front.wanted, ["a.test"]);
});

Deno.test("Several fronts share a port", async () => {
  using foreign = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert.throws(() => new TestFront({ port: foreign.addr.port }), Deno.errors.AddrInUse);
  await using first = new TestFront();
  await using second = new TestFront({ port: first.port });
  assert.equal(second.port, first.port);
});
