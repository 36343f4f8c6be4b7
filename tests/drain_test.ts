import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect } from "node:http2";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { appSource, startTestServer, until } from "./server.ts";
import { VisitorSocket } from "./visitor_socket.ts";

Deno.test("SIGTERM finishes what is in flight, closes WebSockets with 1001, and exits 0", async () => {
  await using server = await startTestServer();
  await server.deploy("life", appSource("life.ts"));
  await server.deploy("wire", appSource("wire.ts"));
  await server.deploy("sockets", appSource("sockets.ts"));
  const socket = await VisitorSocket.open(server.httpPort, "sockets.localhost", "/");
  const slow = server.text("life", "/sleep?ms=1500");
  using upload = await RawVisitor.send(
    server.httpPort,
    "POST /count HTTP/1.1\r\nHost: wire.localhost\r\nContent-Length: 6\r\n\r\nabc",
  );
  using idle = await RawVisitor.send(server.httpPort, "GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n");
  await idle.receive(/DEPLOYMENT_NOT_FOUND[^]*<\/html>/);
  await until("all are in flight", async () => {
    return (await server.isolates()).filter(({ inFlight }) => inFlight === 1).length === 3;
  });

  const startedAt = performance.now();
  const ended = server.kill("SIGTERM");
  assert.equal((await socket.closed).code, 1001);
  await upload.write("def");
  assert(await upload.receive(/HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n6$/), upload.received);
  assert.match(await slow, /"born":/);
  assert.equal((await ended).code, 0);
  const tookMs = performance.now() - startedAt;
  assert(tookMs < 8000, `${tookMs}ms`);
});

Deno.test("SIGTERM refuses new visitors, and tells HTTP/2 peers to go, whose requests it finishes", async () => {
  await using server = await startTestServer();
  await server.deploy("life", appSource("life.ts"));
  const session = connect(`http://127.0.0.1:${server.httpPort}`);
  const request = session.request({ ":path": "/sleep?ms=1500", ":authority": "life.localhost" });
  const answered = once(request, "response");
  const body = request.toArray();
  const isHeld = async () => (await server.isolates()).some(({ inFlight }) => inFlight === 1);
  await until("it is in flight", isHeld);

  const told = once(session, "goaway");
  const ended = server.kill("SIGTERM");
  await told;
  await until("nobody is let in", () => refuses(server.httpPort));
  const [headers] = await answered;
  assert.equal(headers[":status"], 200);
  assert.match(Buffer.concat(await body).toString(), /"born":/);
  session.close();
  assert.equal((await ended).code, 0);
});

Deno.test("a request that does not end holds SIGTERM up for 10 s at most; a second signal ends at once", async () => {
  await using patient = await startTestServer();
  await using hurried = await startTestServer();
  const hanging: Promise<void>[] = [];
  for (const server of [patient, hurried]) {
    await server.deploy("life", appSource("life.ts"));
    hanging.push(server.fetch("life", "/hang").then((response) => response.body?.cancel(), () => {}));
    const isHeld = async () => (await server.isolates()).some(({ inFlight }) => inFlight === 1);
    await until("it is in flight", isHeld);
  }
  const startedAt = performance.now();
  const first = patient.kill("SIGTERM");
  hurried.kill("SIGINT");
  await until("it drains", async () => {
    const response = await fetch(`${hurried.controlUrl}/healthz`);
    await response.body?.cancel();
    return !response.ok;
  });
  assert.equal((await hurried.kill("SIGINT")).code, 130);
  assert(performance.now() - startedAt < 8000);
  assert.equal((await first).code, 0);
  const tookMs = performance.now() - startedAt;
  assert(tookMs > 9000 && tookMs < 20_000, `${tookMs}ms`);
  await Promise.all(hanging);
});

async function refuses(port: number): Promise<boolean> {
  try {
    const connection = await Deno.connect({ port });
    connection.close();
    return false;
  } catch (error) {
    assert(error instanceof Deno.errors.ConnectionRefused, `${error}`);
    return true;
  }
}
