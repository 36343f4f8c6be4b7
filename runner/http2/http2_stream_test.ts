import assert from "node:assert/strict";
import { constants } from "node:http2";
import { until, untilStill } from "../testing/test_runner.ts";
import { FRAME } from "./protocol.ts";
import { data, frame, FrameClient, GET, POST, request } from "./testing/frame_client.ts";
import { writeAll } from "./testing/h1_app.ts";
import { NodeClient, textOf } from "./testing/node_client.ts";
import { startTestServer, text } from "./testing/test_server.ts";

const MIB = 1024 * 1024;

Deno.test("a slow app bounds what its stream sends, and stops no other", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = startTestServer(async ({ path, body }) => {
    if (path === "/slow") await gate.promise;
    return text(`${(await body()).length}`);
  });
  await using client = new NodeClient(server.port);
  const slow = client.request({ ":path": "/slow", ":method": "POST" }, false);
  let taken = 0;
  const write = () => {
    if (taken === 4 * MIB) return slow.end();
    taken += 65_536;
    slow.write(new Uint8Array(65_536), write);
  };
  write();
  await untilStill(() => taken);
  assert.ok(taken <= MIB, `${taken} bytes were taken for nobody`);
  const fast = client.request({ ":method": "POST" }, false);
  fast.end(new Uint8Array(3 * MIB));
  assert.equal(await textOf(fast), `${3 * MIB}`);
  const answer = textOf(slow);
  gate.resolve();
  assert.equal(await answer, `${4 * MIB}`);
});

Deno.test("a slow reader stops the app that it reads from, and no other", async () => {
  let written = 0;
  await using server = startTestServer(async ({ path, socket }) => {
    if (path === "/small") return text("small");
    await writeAll(socket, `HTTP/1.1 200 OK\r\ncontent-length: ${1000 * MIB}\r\n\r\n`);
    for (;;) {
      await writeAll(socket, new Uint8Array(65_536));
      written += 65_536;
    }
  });
  await using client = new NodeClient(server.port);
  const slow = client.request({ ":path": "/large" });
  await new Promise((resolve) => slow.once("response", resolve));
  await untilStill(() => written);
  assert.ok(written < 4 * MIB, `${written} bytes were written for nobody`);
  assert.equal(await textOf(client.request({ ":path": "/small" })), "small");
});

Deno.test("a connection that is not read keeps no more than a bound, and responses take turns", async () => {
  let written = 0;
  await using server = startTestServer(async ({ socket }) => {
    await writeAll(socket, `HTTP/1.1 200 OK\r\ncontent-length: ${100 * MIB}\r\n\r\n`);
    for (;;) {
      await writeAll(socket, new Uint8Array(65_536));
      written += 65_536;
    }
  });
  using client = await FrameClient.connect(server.port, { settings: "00047fffffff" });
  await client.send(frame(FRAME.windowUpdate, 0, 0, "7fff0000"), ...[1, 3, 5, 7].map((id) => request(id)));
  await untilStill(() => written);
  assert.ok(written < 16 * MIB, `${written} bytes were written for nobody`);
  const seen = new Map<number, number>();
  for (let frames = 0; frames < 200; frames++) {
    const { type, streamId } = (await client.next())!;
    if (type === FRAME.data) seen.set(streamId, (seen.get(streamId) ?? 0) + 1);
  }
  assert.deepEqual([...seen.keys()].sort(), [1, 3, 5, 7]);
  const counts = [...seen.values()];
  assert.ok(Math.max(...counts) < 3 * Math.min(...counts), `${counts}`);
});

Deno.test("a stream that the visitor resets is heard by who serves it, whatever it is doing", async () => {
  const heard: string[] = [];
  await using server = startTestServer(async ({ path, body, gone, socket }) => {
    try {
      if (path === "/upload") await body();
      else if (path === "/download") {
        await writeAll(socket, `HTTP/1.1 200 OK\r\ncontent-length: ${1000 * MIB}\r\n\r\n`);
        for (;;) await writeAll(socket, new Uint8Array(65_536));
      } else await gone();
    } catch {
      // Cut.
    }
    heard.push(path);
  });
  await using client = new NodeClient(server.port);
  for (const path of ["/wait", "/upload", "/download"]) {
    const stream = client.request(
      { ":path": path, ":method": path === "/upload" ? "POST" : "GET" },
      path !== "/upload",
    );
    if (path === "/upload") stream.write("hello");
    if (path === "/download") await new Promise((resolve) => stream.once("response", resolve));
    else await until(() => server.connections[0]?.idle === false);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => heard.includes(path));
  }
  client.request({ ":path": "/gone" });
  await until(() => server.connections[0]?.idle === false);
  client.session.destroy();
  await until(() => heard.includes("/gone"));
  await server.ended();
});

Deno.test("an upload that is reset never seems whole", async () => {
  const uploads: string[] = [];
  await using server = startTestServer(async ({ body }) => {
    uploads.push(await body().then((bytes) => `${bytes.length}`, () => "broken off"));
  });
  using client = await FrameClient.connect(server.port);
  const reset = (streamId: number) => frame(FRAME.rstStream, 0, streamId, "00000008");
  await client.send(request(1, POST, false), data(1, "hello"));
  await client.ping();
  await client.send(reset(1), request(3, POST, false), data(3, "hello"), reset(3));
  await client.send(request(5, [...POST, ["content-length", "10"]], false), data(5, "hello"));
  await client.ping();
  await client.send(reset(5));
  await until(() => uploads.length === 2);
  assert.deepEqual(uploads, ["broken off", "broken off"], "the one in the middle never began");
});

Deno.test("a write ends as soon as the visitor has taken a part of it, a head whole", async () => {
  const head = `HTTP/1.1 200 OK\r\nx-long: ${"x".repeat(20_000)}\r\ncontent-length: 100000\r\n\r\n`;
  let written = 0;
  await using server = startTestServer(async ({ socket }) => {
    written = await socket.write(new TextEncoder().encode(head.padEnd(head.length + 100_000, "x")));
  });
  using client = await FrameClient.connect(server.port, { settings: "000400005000" });
  await client.send(request(1));
  await until(() => written > 0);
  assert.equal(written, head.length + 16_384);
});

Deno.test("a connection's window that opens octet by octet is shared by its streams", async () => {
  await using server = startTestServer(() => text("x".repeat(100_000)));
  using client = await FrameClient.connect(server.port, { settings: "00047fffffff" });
  const ids = [1, 3, 5];
  await client.send(...ids.map((id) => request(id, GET)));
  const sentBytes = () => ids.map((id) => client.dataOf(id).length);
  while (sentBytes().reduce((sum, bytes) => sum + bytes) < 65_535) await client.next();
  await client.ping();
  const before = sentBytes();
  for (let i = 0; i < 30; i++) {
    await client.send(frame(FRAME.windowUpdate, 0, 0, "00000001"));
    await client.ping();
  }
  assert.deepEqual(sentBytes().map((bytes, i) => bytes - before[i]!), [10, 10, 10]);
});
