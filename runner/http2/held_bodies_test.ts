import assert from "node:assert/strict";
import { until } from "../testing/test_runner.ts";
import { boundHeldBodies } from "./held_bodies.ts";
import { data, FrameClient, POST, request } from "./testing/frame_client.ts";
import { startTestServer } from "./testing/test_server.ts";

const HALF = "x".repeat(8192);

Deno.test("of bodies that nobody reads so much is held, and who has sent most of it is ended", async () => {
  const read = Promise.withResolvers<void>();
  await using server = startTestServer(async (request) => {
    await read.promise;
    await request.read();
    await request.gone();
  });
  using small = await FrameClient.connect(server.port);
  await small.send(request(1, POST, false), data(1, HALF));
  await until(() => (server.connections[0]?.heldBytes ?? 0) > 0);
  using large = await FrameClient.connect(server.port);
  for (const id of [1, 3, 5, 7, 9, 11]) {
    await large.send(request(id, POST, false), data(id, HALF), data(id, HALF));
  }
  await until(() => (server.connections[1]?.heldBytes ?? 0) > 40_000);
  const [first, second] = server.connections;
  boundHeldBodies(server.connections, 200_000);
  assert.ok(second!.heldBytes > 0);
  boundHeldBodies(server.connections, 40_000);
  assert.equal(second!.heldBytes, 0);
  assert.ok(first!.heldBytes > 0);
  await large.until("closed");
  read.resolve();
  await until(() => first!.heldBytes === 0);
  await small.ping();
});
