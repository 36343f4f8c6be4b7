import assert from "node:assert/strict";
import { untilStill } from "../testing/test_runner.ts";
import { DEFAULT_VISITOR_LIMITS } from "../visitor_limits.ts";
import type { Http2Connection } from "./http2_connection.ts";
import { FLAG, FRAME } from "./protocol.ts";
import { block, data, frame, FrameClient, GET, POST, request } from "./testing/frame_client.ts";
import { writeAll } from "./testing/h1_app.ts";
import { startTestServer, type TestServer, text } from "./testing/test_server.ts";

const { headerTimeoutMs, keepAliveTimeoutMs, writeTimeoutMs } = DEFAULT_VISITOR_LIMITS;
const { ack, endHeaders, endStream } = FLAG;
const SECOND_MS = 1000;

/** Never answers `/wait`. */
function start(limits: Parameters<typeof startTestServer>[1] = {}): TestServer {
  return startTestServer(async (request) => {
    if (request.path === "/wait") return await request.gone();
    if (request.path === "/large") return text("x".repeat(1000));
    return text(`${(await request.body()).length}`);
  }, limits);
}

const waiting = (streamId: number) => request(streamId, [GET[0], GET[1], [":path", "/wait"], GET[3]]);
const reset = (streamId: number) => frame(FRAME.rstStream, 0, streamId, "00000008");
const times = (count: number, frames: (i: number) => Uint8Array[]) =>
  Array.from({ length: count }, (_, i) => frames(i)).flat();

/** Lets `ms` go by for the time limits of a connection, second by second. */
function pass(connection: Http2Connection, ms: number): void {
  const startedAt = performance.now();
  for (let at = 0; at <= ms; at += SECOND_MS) connection.sweep(startedAt + at);
}

Deno.test("floods of frames that carry nothing end the connection, and nobody else's", async () => {
  await using server = start({ maxControlFrames: 100, maxStreamResets: 50 });
  const opened = request(1, POST, false);
  const floods: Record<string, Uint8Array[]> = {
    "PING": times(200, () => [frame(FRAME.ping, 0, 0, "0000000000000000")]),
    "acknowledged PING": times(200, () => [frame(FRAME.ping, ack, 0, "0000000000000000")]),
    "SETTINGS": times(200, () => [frame(FRAME.settings, 0, 0, "000400000001")]),
    "acknowledged SETTINGS": times(200, () => [frame(FRAME.settings, ack, 0)]),
    "PRIORITY": times(200, (i) => [frame(FRAME.priority, 0, 2 * i + 1, "0000000010")]),
    "WINDOW_UPDATE": times(200, () => [frame(FRAME.windowUpdate, 0, 0, "00000001")]),
    "WINDOW_UPDATE of a stream": [
      waiting(1),
      ...times(200, () => [frame(FRAME.windowUpdate, 0, 1, "00000001")]),
    ],
    "windows that are opened octet by octet": [
      frame(FRAME.settings, 0, 0, "000400000000"),
      request(1, [GET[0], GET[1], [":path", "/large"], GET[3]]),
      ...times(200, () => [frame(FRAME.windowUpdate, 0, 1, "00000001")]),
    ],
    "empty DATA": [opened, ...times(200, () => [data(1, "")])],
    "padding alone": [opened, ...times(200, () => [frame(FRAME.data, FLAG.padded, 1, "0100")])],
    "GOAWAY": times(200, () => [frame(FRAME.goaway, 0, 0, "0000000000000000")]),
    "types that nobody knows": times(200, () => [frame(0xbe, 0, 0)]),
    "RST_STREAM of streams that are over": [waiting(1), ...times(200, () => [reset(1)])],
    "rapid reset": times(100, (i) => [waiting(2 * i + 1), reset(2 * i + 1)]),
    "slow rapid reset": times(100, (i) => [waiting(2 * i + 1), reset(Math.max(2 * i - 5, 1))]),
    "requests that make us reset": times(100, (i) => [request(2 * i + 1, [["X", "y"]])]),
    "windows that make us reset": times(100, (i) => [
      waiting(2 * i + 1),
      frame(FRAME.windowUpdate, 0, 2 * i + 1, "00000000"),
    ]),
    "DATA for streams that are over": [
      request(1, [...POST, ["content-length", "1"]], false),
      ...times(200, () => [data(1, "ab")]),
    ],
    "streams beyond the maximum": times(800, (i) => [waiting(2 * i + 1)]),
  };
  for (const [name, frames] of Object.entries(floods)) {
    using client = await FrameClient.connect(server.port);
    await client.send(...frames);
    await client.until("goaway enhanceYourCalm").catch((error) => assert.fail(`${name}: ${error.message}`));
    await client.until("closed");
  }
  using client = await FrameClient.connect(server.port);
  await client.send(request(1));
  await client.until("end 1");
});

Deno.test("floods are counted anew after 30 s", async () => {
  await using server = start({ maxControlFrames: 100 });
  using client = await FrameClient.connect(server.port);
  const pings = times(80, () => [frame(FRAME.ping, 0, 0, "0000000000000000")]);
  await client.send(waiting(1), ...pings);
  await client.ping();
  pass(server.connections[0]!, 31 * SECOND_MS);
  await client.send(...pings);
  await client.ping();
});

Deno.test("a client that acknowledges what it is sent is no flood", async () => {
  await using server = startTestServer(() => text("x".repeat(100_000)), { maxControlFrames: 20 });
  using client = await FrameClient.connect(server.port, { settings: "00047fffffff" });
  await client.send(frame(FRAME.windowUpdate, 0, 0, "7fff0000"));
  for (let i = 0; i < 50; i++) {
    const id = 2 * i + 1;
    await client.send(request(id));
    await client.until(`end ${id}`);
    await client.send(
      frame(FRAME.windowUpdate, 0, 0, "00000001"),
      frame(FRAME.windowUpdate, 0, id, "00000001"),
    );
  }
  await client.ping();
});

Deno.test("control frames are not answered without end while nobody reads the answers", async () => {
  await using server = start({ maxControlFrames: Infinity });
  using client = await FrameClient.connect(server.port);
  const pings = await new Blob(times(4000, () => [frame(FRAME.ping, 0, 0, "0000000000000000")]) as BlobPart[])
    .bytes();
  let sentBytes = 0;
  const flood = (async () => {
    while (sentBytes < 100_000_000 && await client.send(pings)) sentBytes += pings.length;
  })();
  await untilStill(() => sentBytes);
  assert.ok(sentBytes < 50_000_000, `${sentBytes} bytes of PINGs were answered to nobody`);
  server.connections[0]!.close();
  await flood;
});

Deno.test("no more streams than the maximum are open at once", async () => {
  await using server = start({ maxStreams: 3 });
  using client = await FrameClient.connect(server.port);
  await client.send(waiting(1), waiting(3), waiting(5), request(7));
  await client.until("reset 7 refusedStream");
  await client.send(reset(1), request(9));
  await client.until("end 9");
});

Deno.test("after its last request a connection ends, in an orderly way", async () => {
  await using server = start({ maxRequestsPerConnection: 3 });
  using client = await FrameClient.connect(server.port);
  await client.send(request(1), request(3));
  await client.ping();
  assert.ok(!client.said.includes("goaway none"));
  await client.send(request(5));
  await client.until("goaway none");
  pass(server.connections[0]!, 2 * SECOND_MS);
  await client.until("closed");
  for (const streamId of [1, 3, 5]) assert.ok(client.said.includes(`end ${streamId}`));
});

Deno.test("a head that is too large is 431, and one that is far too large ends the connection", async () => {
  await using server = start({ maxHeaderBytes: 2000 });
  const long = (bytes: number) => [...GET, ["x-long", "x".repeat(bytes)]] as [string, string][];
  using client = await FrameClient.connect(server.port);
  await client.send(
    request(1, long(1500)),
    request(3, long(2000)),
    request(5, long(2000), false),
    request(7),
  );
  await client.until("end 7");
  assert.deepEqual(client.said, [
    "431 3",
    "end 3",
    "431 5",
    "end 5",
    "reset 5 none",
    "200 1",
    "end 1",
    "200 7",
    "end 7",
  ]);
  // 4 KB of a table in 2 bytes.
  const bomb = new Uint8Array([0x40, ...block([["x", "y".repeat(3000)]]).slice(1), 0xbe, 0xbe, 0xbe]);
  await client.send(frame(FRAME.headers, endHeaders | endStream, 9, bomb));
  await client.until("goaway enhanceYourCalm");
});

Deno.test("a header block that does not end is ended, by its size or by its frames", async () => {
  await using server = start({ maxHeaderBytes: 10_000 });
  const begun = frame(FRAME.headers, endStream, 1, block(GET));
  const continued = {
    "large": times(10, () => [frame(FRAME.continuation, 0, 1, block([["x", "y".repeat(4000)]]))]),
    "small": times(100, () => [frame(FRAME.continuation, 0, 1, "00017801 79")]),
    "empty": times(100, () => [frame(FRAME.continuation, 0, 1)]),
  };
  for (const [name, frames] of Object.entries(continued)) {
    using client = await FrameClient.connect(server.port);
    await client.send(begun, ...frames);
    await client.until("goaway enhanceYourCalm").catch((error) => assert.fail(`${name}: ${error.message}`));
  }
});

Deno.test("a visitor who asks for nothing, or not to the end, or for nothing more, is sent away in time", async () => {
  await using server = start();
  const visitors: Record<string, [frames: Uint8Array[], said: string, maxMs: number]> = {
    "nothing but the preface": [[], "", headerTimeoutMs],
    "PINGs alone": [[frame(FRAME.ping, 0, 0, "0000000000000000")], "", headerTimeoutMs],
    "a header block without its end": [
      [request(1), frame(FRAME.headers, endStream, 3, block(GET))],
      "end 1",
      headerTimeoutMs,
    ],
    "half a HEADERS frame": [[request(1), request(3).slice(0, 20)], "end 1", headerTimeoutMs],
    "nothing after a request": [[request(1)], "end 1", keepAliveTimeoutMs],
    "PINGs after a request": [
      [request(1), frame(FRAME.ping, 0, 0, "0000000000000000")],
      "end 1",
      keepAliveTimeoutMs,
    ],
  };
  for (const [name, [frames, said, maxMs]] of Object.entries(visitors)) {
    using client = await FrameClient.connect(server.port);
    await client.send(...frames);
    if (said !== "") await client.until(said);
    else if (frames.length === 0) await client.next();
    const connection = server.connections.at(-1)!;
    pass(connection, maxMs - SECOND_MS);
    if (!name.startsWith("half") && !name.startsWith("a header")) await client.ping();
    pass(connection, maxMs + SECOND_MS);
    await client.until("goaway none").catch((error) => assert.fail(`${name}: ${error.message}`));
    await client.until("closed");
  }
});

Deno.test("a stream that is served is not idle", async () => {
  await using server = start();
  using client = await FrameClient.connect(server.port);
  await client.send(waiting(1));
  await client.ping();
  pass(server.connections[0]!, 2 * keepAliveTimeoutMs);
  await client.ping();
});

Deno.test("a stream whose window stays closed is reset, and no other", async () => {
  await using server = start();
  using client = await FrameClient.connect(server.port, { settings: "000400000000" });
  await client.send(request(1), waiting(3));
  await client.until("200 1");
  await client.ping();
  const [connection] = server.connections;
  pass(connection!, writeTimeoutMs - SECOND_MS);
  await client.ping();
  assert.ok(!client.said.some((said) => said.startsWith("reset")));
  pass(connection!, writeTimeoutMs + SECOND_MS);
  await client.until("reset 1 cancel");
  await client.ping();
  assert.ok(!client.said.includes(`reset 3 cancel`));
});

Deno.test("a visitor who takes nothing is cut", async () => {
  let written = 0;
  await using server = startTestServer(async ({ socket }) => {
    await writeAll(socket, "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
    for (;; written += 65_536) await writeAll(socket, new Uint8Array(65_536));
  });
  using client = await FrameClient.connect(server.port, { settings: "00047fffffff" });
  await client.send(frame(FRAME.windowUpdate, 0, 0, "7fff0000"), request(1));
  await client.until("200 1");
  await untilStill(() => written);
  pass(server.connections[0]!, writeTimeoutMs + 2 * SECOND_MS);
  await server.ended();
});
