import assert from "node:assert/strict";
import { NoDelay } from "./no_delay.ts";
import { makeCertificate } from "./testing/certificates.ts";

const ROUNDS = 15;
const PARTS = 3;
/** Linux acknowledges after 40 ms what it hopes to answer before: far more than a write takes on a busy machine. */
const STALL_MS = 30;
const { chain, privateKey } = await makeCertificate("localhost");
const OPTIONS = { hostname: "127.0.0.1", port: 0, cert: chain, key: privateKey };

/** How long an answer of several small writes takes, in the median. */
async function answerMs(listener: Deno.TlsListener): Promise<number> {
  const { port } = listener.addr;
  const [server, client] = await Promise.all([
    listener.accept(),
    Deno.connectTls({ hostname: "localhost", port, caCerts: [chain] }),
  ]);
  await Promise.all([server.handshake(), client.handshake()]);
  const byte = new Uint8Array(1);
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await client.write(byte);
    await server.read(byte);
    for (let part = 0; part < PARTS; part++) await server.write(byte);
    for (let part = 0; part < PARTS; part++) await client.read(byte);
    times.push(performance.now() - start);
  }
  server.close();
  client.close();
  return times.sort((one, other) => one - other)[ROUNDS >> 1]!;
}

Deno.test("A listener with TCP_NODELAY sends small writes at once", async () => {
  using noDelay = new NoDelay();
  const { listener, set } = noDelay.listen(OPTIONS);
  assert.equal(set, true);
  const ms = await answerMs(listener);
  assert.ok(ms < STALL_MS, `${ms} ms`);
  listener.close();
});

Deno.test("This version of Deno sets TCP_NODELAY on no TLS connection: when it does, no_delay.ts is needed no longer", async () => {
  const listener = Deno.listenTls(OPTIONS);
  const ms = await answerMs(listener);
  assert.ok(ms >= STALL_MS, `${ms} ms`);
  listener.close();
});

Deno.test("The option is set on every listener, in whatever order descriptors are free", async () => {
  using noDelay = new NoDelay();
  const files = Array.from({ length: 20 }, () => Deno.openSync("/dev/null"));
  const listeners: Deno.TlsListener[] = [];
  for (const file of files.reverse()) {
    file.close();
    const { listener, set } = noDelay.listen(OPTIONS);
    assert.ok(set);
    listeners.push(listener);
  }
  assert.ok(await answerMs(listeners.at(-1)!) < STALL_MS);
  for (const listener of listeners) listener.close();
});

Deno.test("The option is set while other threads open and close files", async () => {
  using noDelay = new NoDelay();
  const source = `postMessage("ready"); for (;;) Deno.openSync("/dev/null").close();`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  for (let i = 0; i < 300; i++) {
    const { listener, set } = noDelay.listen(OPTIONS);
    assert.ok(set);
    listener.close();
  }
  worker.terminate();
  URL.revokeObjectURL(url);
});
