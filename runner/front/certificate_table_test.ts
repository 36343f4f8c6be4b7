import assert from "node:assert/strict";
import type { Certificate } from "../contract.ts";
import { until } from "../testing/test_runner.ts";
import { CertificateTable } from "./certificate_table.ts";
import { makeCertificate } from "./testing/certificates.ts";
import { listeningPorts } from "./testing/listening_ports.ts";
import { TestFront } from "./testing/test_front.ts";

const [FIRST, SECOND] = await Promise.all([makeCertificate("localhost"), makeCertificate("localhost")]);
const SWAPS = 30;
const SWAP_INTERVAL_MS = 100;

/** A certificate for other names, which nobody connects to. */
function named(id: string, ...names: string[]): Certificate {
  return { ...FIRST, id, names };
}

Deno.test("An exact name goes before a wildcard, which covers one label", () => {
  using table = new CertificateTable();
  table.change({ installed: [named("wild", "*.a.test"), named("exact", "b.a.test", "a.test")], removed: [] });
  const wild = table.find("x.a.test")!;
  const exact = table.find("a.test")!;
  assert.notEqual(wild, exact);
  for (const name of ["b.a.test", "B.A.Test", "b.a.test."]) assert.equal(table.find(name), exact, name);
  for (const name of ["c.a.test", "C.A.TEST."]) assert.equal(table.find(name), wild, name);
  for (const name of ["x.y.a.test", "test", "b.test", "*", ""]) assert.equal(table.find(name), null, name);
  assert.ok(wild.covers("c.a.test") && wild.covers("b.a.test"));
  assert.ok(!wild.covers("a.test") && !wild.covers("x.y.a.test"));
  assert.ok(exact.covers("a.test") && !exact.covers("c.a.test"));
  assert.ok(table.has("c.a.test") && !table.has("c.test"));
});

Deno.test("Of several certificates for a name the last one serves, and without it the one before", () => {
  using table = new CertificateTable();
  table.change({ installed: [named("1", "a.test", "b.test"), named("2", "a.test")], removed: [] });
  const one = table.find("b.test");
  const two = table.find("a.test");
  assert.notEqual(one, two);
  table.change({ installed: [named("3", "a.test")], removed: ["1"] });
  assert.equal(table.find("b.test"), null);
  assert.notEqual(table.find("a.test"), two);
  table.change({ installed: [], removed: ["3", "unknown"] });
  assert.equal(table.find("a.test"), two);
  table.change({ installed: [named("2", "c.test")], removed: [] });
  assert.equal(table.find("a.test"), null, "the same id with other names");
  assert.ok(table.has("c.test"));
  table.change({ installed: [], removed: ["2"] });
  assert.ok(!table.has("c.test"));
});

Deno.test("A certificate that cannot be served is reported once, and as if it were not there", () => {
  using table = new CertificateTable();
  const good = named("good", "*.a.test");
  table.change({
    installed: [good, { ...named("bad", "b.a.test"), privateKey: SECOND.privateKey }],
    removed: [],
  });
  const lines: string[] = [];
  const { error } = console;
  console.error = (...parts: unknown[]) => lines.push(parts.join(" "));
  try {
    for (let i = 0; i < 3; i++) assert.equal(table.find("b.a.test"), table.find("x.a.test"));
  } finally {
    console.error = error;
  }
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^Cannot serve certificate for "b\.a\.test": .*KeyMismatch/);
  assert.ok(table.find("b.a.test")!.covers("x.a.test"));
});

Deno.test("A removed certificate is refused at the next hello; its connections go on", async () => {
  await using front = new TestFront({ certificates: [FIRST] });
  const options = { hostname: "localhost", port: front.port, caCerts: [FIRST.chain] };
  const conn = await Deno.connectTls(options);
  await conn.handshake();
  front.table!.change({ installed: [], removed: [FIRST.id] });
  const refused = await Deno.connectTls(options);
  await assert.rejects(() => refused.handshake(), /UnrecognisedName/);
  refused.close();
  assert.equal(await echoed(conn, "still here"), "still here");
  conn.close();
});

Deno.test("Swaps under load break no handshake and no connection, and old listeners go", async () => {
  await using front = new TestFront({ certificates: [FIRST] });
  const options = { hostname: "localhost", port: front.port, caCerts: [FIRST.chain, SECOND.chain] };
  const lasting = await Deno.connectTls(options);
  await lasting.handshake();
  const listening = listeningPorts().size;
  let swapping = true;
  let connections = 0;
  const visitors = Array.from({ length: 4 }, async () => {
    while (swapping) {
      const conn = await Deno.connectTls(options);
      await conn.handshake();
      assert.equal(await echoed(conn, "hello"), "hello");
      conn.close();
      connections++;
    }
  });
  for (let swap = 1; swap <= SWAPS; swap++) {
    await new Promise((resolve) => setTimeout(resolve, SWAP_INTERVAL_MS));
    const material = swap % 2 === 0 ? FIRST : SECOND;
    const removed = swap === 1 ? FIRST.id : `swap ${swap - 1}`;
    front.table!.change({ installed: [{ ...material, id: `swap ${swap}` }], removed: [removed] });
    assert.equal(await echoed(lasting, `swap ${swap}`), `swap ${swap}`);
  }
  swapping = false;
  await Promise.all(visitors);
  assert.ok(connections > SWAPS, `${connections} connections`);
  lasting.close();
  await until(() => front.front.size === 0 && listeningPorts().size <= listening);
});

async function echoed(conn: Deno.TlsConn, text: string): Promise<string> {
  await conn.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(100);
  return new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
}
