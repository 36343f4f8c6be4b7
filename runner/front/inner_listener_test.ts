import assert from "node:assert/strict";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { until } from "../testing/test_runner.ts";
import { InnerListener } from "./inner_listener.ts";
import { NoDelay } from "./no_delay.ts";
import { makeCertificate } from "./testing/certificates.ts";
import { listeningPorts } from "./testing/listening_ports.ts";

const CERTIFICATE = await makeCertificate("localhost");

/** A listener, and the port that it keeps to itself. */
function listen(noDelay: NoDelay): { listener: InnerListener; port: number } {
  const before = listeningPorts();
  const listener = new InnerListener(CERTIFICATE, noDelay);
  const [port] = [...listeningPorts()].filter((port) => !before.has(port));
  return { listener, port: port! };
}

/** Connects past the front, and hears at most the alert that this is no TLS. */
async function turnedAway(port: number): Promise<void> {
  using stranger = await RawVisitor.send(port, "hello");
  const ALERT = 0x15;
  const received = await stranger.receiveAll();
  assert.ok(received === "" || received.charCodeAt(0) === ALERT);
}

Deno.test("Both ends of a connection are of the same one, and a stranger's is closed", async () => {
  using noDelay = new NoDelay();
  const { listener, port } = listen(noDelay);
  const strangers = [turnedAway(port)];
  const connections = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    if (i % 10 === 0) strangers.push(turnedAway(port));
    return await listener.connect();
  }));
  for (const { ciphered, clear } of connections) {
    assert.equal(clear.remoteAddr.port, ciphered.localAddr.port);
    ciphered.close();
    clear.close();
  }
  await Promise.all(strangers);
  listener.close();
});

Deno.test("A listener that retires lets those through who connect, and then nobody", async () => {
  using noDelay = new NoDelay();
  const { listener, port } = listen(noDelay);
  const connecting = [listener.connect(), listener.connect()];
  listener.retire();
  for (const { ciphered, clear } of await Promise.all(connecting)) {
    ciphered.close();
    clear.close();
  }
  await until(() => !listeningPorts().has(port));
  await assert.rejects(() => listener.connect());
  listener.close();
});
