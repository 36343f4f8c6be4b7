import assert from "node:assert/strict";
import { FLAG, FRAME, PREFACE, startsHttp2 } from "./protocol.ts";
import { block, data, frame, FrameClient, GET, POST, request } from "./testing/frame_client.ts";
import { startTestServer, type TestServer, text } from "./testing/test_server.ts";

const { ack, endHeaders, endStream, padded, priority } = FLAG;

/** What a client sends after its preface and settings → what it hears first of these. */
type Case = [frames: Uint8Array[], said: string | string[]];

/** Never answers `/wait`, does not even read `/hang` until all is over, and answers everything else. */
function start(): TestServer {
  const over = Promise.withResolvers<void>();
  const server = startTestServer(async (request) => {
    if (request.path === "/wait") return await request.gone();
    if (request.path === "/hang") return await over.promise;
    await request.body();
    return text(`${request.method} ${request.path}`);
  });
  const stop = () => {
    over.resolve();
    return server[Symbol.asyncDispose]();
  };
  return { ...server, [Symbol.asyncDispose]: stop };
}

/** Runs each case on a connection of its own; afterwards other connections are still served. */
async function hears(cases: Record<string, Case>): Promise<void> {
  await using server = start();
  for (const [name, [frames, said]] of Object.entries(cases)) {
    using client = await FrameClient.connect(server.port);
    await client.send(...frames);
    const wanted = typeof said === "string" ? [said] : said;
    await client.until(...wanted).catch((error) => assert.fail(`${name}: ${error.message}`));
    if (wanted.some((one) => one.startsWith("goaway"))) await client.until("closed");
    else await client.ping();
  }
  using client = await FrameClient.connect(server.port);
  await client.send(request(1));
  await client.until("end 1");
}

const WAIT = [GET[0], GET[1], [":path", "/wait"], GET[3]] as const;
const waiting = (streamId: number) => request(streamId, WAIT);

Deno.test("the preface is told from anything else", () => {
  assert.equal(startsHttp2(PREFACE), "yes");
  assert.equal(startsHttp2(PREFACE.slice(0, 10)), "more");
  assert.equal(startsHttp2(new Uint8Array(0)), "more");
  assert.equal(startsHttp2(new TextEncoder().encode("PRI * HTTP/1.1\r\n")), "no");
  assert.equal(startsHttp2(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")), "no");
});

Deno.test("a connection begins with the preface and settings (RFC 9113 §3.4)", async () => {
  await using server = start();
  const beginnings = [
    new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
    new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    new Uint8Array([...PREFACE, ...request(1)]),
    new Uint8Array([...PREFACE, ...frame(FRAME.settings, ack, 0)]),
    new Uint8Array([...PREFACE, ...frame(FRAME.ping, 0, 0, "0000000000000000")]),
  ];
  for (const bytes of beginnings) {
    using client = await FrameClient.connect(server.port, { bare: true });
    await client.send(bytes);
    await client.until("goaway protocol");
    await client.until("closed");
  }
  using client = await FrameClient.connect(server.port, { bare: true });
  for (const octet of [...PREFACE, ...frame(FRAME.settings, 0, 0), ...request(1)]) {
    await client.send(new Uint8Array([octet]));
  }
  await client.until("end 1");
  assert.equal(client.dataOf(1), "GET /");
});

Deno.test("frames have the size and the stream that their type asks for (RFC 9113 §4.2, §6)", async () => {
  await hears({
    "DATA on 0": [[frame(FRAME.data, endStream, 0, "61")], "goaway protocol"],
    "DATA with padding as long as its frame": [
      [request(1, POST, false), frame(FRAME.data, padded, 1, "0561616161")],
      "goaway protocol",
    ],
    "empty padded DATA": [[request(1, POST, false), frame(FRAME.data, padded, 1)], "goaway frameSize"],
    "DATA that is too large": [
      [request(1, POST, false), frame(FRAME.data, 0, 1, new Uint8Array(16_385))],
      "goaway frameSize",
    ],
    "HEADERS on 0": [[request(0)], "goaway protocol"],
    "HEADERS with too much padding": [
      [frame(FRAME.headers, padded | endHeaders | endStream, 1, "ff8286")],
      "goaway protocol",
    ],
    "HEADERS too short for a priority": [
      [frame(FRAME.headers, priority | endHeaders | endStream, 1, "00")],
      "goaway frameSize",
    ],
    "HEADERS that are too large": [
      [frame(FRAME.headers, endHeaders | endStream, 1, new Uint8Array(16_385))],
      "goaway frameSize",
    ],
    "PRIORITY on 0": [[frame(FRAME.priority, 0, 0, "0000000010")], "goaway protocol"],
    "PRIORITY of 4 bytes": [[frame(FRAME.priority, 0, 1, "00000000")], "reset 1 frameSize"],
    "RST_STREAM on 0": [[frame(FRAME.rstStream, 0, 0, "00000000")], "goaway protocol"],
    "RST_STREAM of 3 bytes": [[waiting(1), frame(FRAME.rstStream, 0, 1, "000000")], "goaway frameSize"],
    "SETTINGS on 1": [[frame(FRAME.settings, 0, 1)], "goaway protocol"],
    "SETTINGS of 5 bytes": [[frame(FRAME.settings, 0, 0, "0001000000")], "goaway frameSize"],
    "acknowledging SETTINGS with a payload": [
      [frame(FRAME.settings, ack, 0, "000100000000")],
      "goaway frameSize",
    ],
    "PUSH_PROMISE": [[frame(FRAME.pushPromise, endHeaders, 1, "00000002828684")], "goaway protocol"],
    "PING on 1": [[frame(FRAME.ping, 0, 1, "0000000000000000")], "goaway protocol"],
    "PING of 6 bytes": [[frame(FRAME.ping, 0, 0, "000000000000")], "goaway frameSize"],
    "GOAWAY on 1": [[frame(FRAME.goaway, 0, 1, "0000000000000000")], "goaway protocol"],
    "GOAWAY of 7 bytes": [[frame(FRAME.goaway, 0, 0, "00000000000000")], "goaway frameSize"],
    "WINDOW_UPDATE of 3 bytes": [[frame(FRAME.windowUpdate, 0, 0, "000001")], "goaway frameSize"],
    "WINDOW_UPDATE by 0": [[frame(FRAME.windowUpdate, 0, 0, "00000000")], "goaway protocol"],
    "WINDOW_UPDATE of a stream by 0": [
      [waiting(1), frame(FRAME.windowUpdate, 0, 1, "00000000")],
      "reset 1 protocol",
    ],
    "CONTINUATION without HEADERS": [[frame(FRAME.continuation, endHeaders, 1, "82")], "goaway protocol"],
    "CONTINUATION on 0": [[frame(FRAME.continuation, endHeaders, 0, "82")], "goaway protocol"],
  });
});

Deno.test("settings have the values that they may have (RFC 9113 §6.5.2)", async () => {
  const settings = (payload: string) => frame(FRAME.settings, 0, 0, payload);
  await hears({
    "ENABLE_PUSH 2": [[settings("000200000002")], "goaway protocol"],
    "INITIAL_WINDOW_SIZE 2^31": [[settings("000480000000")], "goaway flowControl"],
    "MAX_FRAME_SIZE 16383": [[settings("000500003fff")], "goaway protocol"],
    "MAX_FRAME_SIZE 2^24": [[settings("000501000000")], "goaway protocol"],
    "an unknown one": [[settings("00ff00000001"), request(1)], "end 1"],
    "a whole frame of them": [
      [settings("000400000001".repeat(2730)), settings("00040000ffff"), request(1)],
      "end 1",
    ],
    "a window that grows too large": [
      [waiting(1), frame(FRAME.windowUpdate, 0, 1, "7fff0000"), settings("00047fffffff")],
      "goaway flowControl",
    ],
  });
});

Deno.test("frames come in the states of their streams (RFC 9113 §5.1)", async () => {
  const reset = (streamId: number) => frame(FRAME.rstStream, 0, streamId, "00000008");
  await hears({
    "DATA of an idle stream": [[data(1, "a", true)], "goaway protocol"],
    "RST_STREAM of an idle stream": [[reset(1)], "goaway protocol"],
    "WINDOW_UPDATE of an idle stream": [[frame(FRAME.windowUpdate, 0, 1, "00000001")], "goaway protocol"],
    "CONTINUATION of an idle stream": [[frame(FRAME.continuation, endHeaders, 1, "82")], "goaway protocol"],
    "PRIORITY of an idle stream": [[frame(FRAME.priority, 0, 1, "0000000010"), request(1)], "end 1"],
    "DATA after the end": [[waiting(1), data(1, "a", true)], "reset 1 streamClosed"],
    "HEADERS after the end": [[waiting(1), request(1)], "reset 1 streamClosed"],
    "CONTINUATION after the end": [
      [waiting(1), frame(FRAME.continuation, endHeaders, 1, "82")],
      "goaway protocol",
    ],
    "DATA after a reset": [[waiting(1), reset(1), data(1, "a", true)], "goaway streamClosed"],
    "HEADERS after a reset": [[waiting(1), reset(1), request(1)], "goaway streamClosed"],
    "a second RST_STREAM": [[waiting(1), reset(1), reset(1), request(3)], "end 3"],
    "WINDOW_UPDATE after a reset": [
      [waiting(1), reset(1), frame(FRAME.windowUpdate, 0, 1, "00000001"), request(3)],
      "end 3",
    ],
    "DATA after we have reset": [
      [request(1, [...POST, ["content-length", "1"]], false), data(1, "ab"), data(1, "ab"), request(3)],
      "end 3",
    ],
    "an even stream": [[request(2)], "goaway protocol"],
    "a lower stream": [[request(5), request(3)], "goaway protocol"],
    "a stream that depends on itself": [
      [frame(
        FRAME.headers,
        endHeaders | endStream | priority,
        1,
        new Uint8Array([0, 0, 0, 1, 16, ...block(GET)]),
      )],
      "reset 1 protocol",
    ],
    "PRIORITY on itself": [[frame(FRAME.priority, 0, 1, "0000000110")], "reset 1 protocol"],
    "a type that nobody knows": [[frame(0xbe, 0xff, 7, "010203"), request(1)], "end 1"],
    "a bit that is reserved": [[frame(FRAME.windowUpdate, 0, 0, "80000001"), request(1)], "end 1"],
  });
});

Deno.test("a header block is one piece (RFC 9113 §4.3, §6.10)", async () => {
  const whole = block(GET);
  const [first, rest] = [whole.slice(0, 9), whole.slice(9)];
  const begun = frame(FRAME.headers, endStream, 1, first);
  await hears({
    "in three frames": [
      [
        begun,
        frame(FRAME.continuation, 0, 1, rest.slice(0, 5)),
        frame(FRAME.continuation, endHeaders, 1, rest.slice(5)),
      ],
      "end 1",
    ],
    "DATA in between": [
      [begun, data(1, "a"), frame(FRAME.continuation, endHeaders, 1, rest)],
      "goaway protocol",
    ],
    "PRIORITY in between": [[begun, frame(FRAME.priority, 0, 1, "0000000310")], "goaway protocol"],
    "a type that nobody knows in between": [[begun, frame(0xbe, 0, 1)], "goaway protocol"],
    "another stream's": [[begun, frame(FRAME.continuation, endHeaders, 3, rest)], "goaway protocol"],
    "one that cannot be decoded": [
      [frame(FRAME.headers, endHeaders | endStream, 1, "ff")],
      "goaway compression",
    ],
    "one of a stream that is over, which cannot be decoded": [
      [
        request(1, [...POST, ["content-length", "1"]], false),
        data(1, "ab"),
        frame(FRAME.headers, endHeaders, 1, "ff"),
      ],
      "goaway compression",
    ],
  });
});

Deno.test("requests that are malformed reset their stream (RFC 9113 §8.1.1, §8.2, §8.3)", async () => {
  const [method, scheme, path, authority] = GET;
  const fieldLists: Record<string, readonly (readonly [string, string])[]> = {
    "an upper-case name": [...GET, ["X-Test", "ok"]],
    "an empty name": [...GET, ["", "ok"]],
    "a name with a blank": [...GET, ["x test", "ok"]],
    "a name with a colon": [...GET, ["x:test", "ok"]],
    "a value with CR LF": [...GET, ["x-test", "a\r\nx-forged: b"]],
    "a value with LF": [...GET, ["x-test", "a\nb"]],
    "a value with NUL": [...GET, ["x-test", "a\0b"]],
    "a value with a blank before it": [...GET, ["x-test", " a"]],
    "a value with a tab after it": [...GET, ["x-test", "a\t"]],
    "connection": [...GET, ["connection", "keep-alive"]],
    "keep-alive": [...GET, ["keep-alive", "1"]],
    "proxy-connection": [...GET, ["proxy-connection", "keep-alive"]],
    "transfer-encoding": [...GET, ["transfer-encoding", "chunked"]],
    "upgrade": [...GET, ["upgrade", "websocket"]],
    "te other than trailers": [...GET, ["te", "trailers, deflate"]],
    "an unknown pseudo-header": [...GET, [":test", "ok"]],
    "a pseudo-header of responses": [...GET, [":status", "200"]],
    "a pseudo-header after a field": [method, scheme, path, ["x-test", "ok"], authority],
    "no method": [scheme, path, authority],
    "no scheme": [method, path, authority],
    "no path": [method, scheme, authority],
    "an empty path": [method, scheme, [":path", ""], authority],
    "a path without a slash": [method, scheme, [":path", "http://b.test/"], authority],
    "a path that ends the line": [method, scheme, [":path", "/ HTTP/1.1\r\nhost: b.test\r\n\r\n"], authority],
    "a path with a blank": [method, scheme, [":path", "/a b"], authority],
    "a method that is no token": [[":method", "GET /x HTTP/1.1\r\n"], scheme, path, authority],
    "an empty method": [[":method", ""], scheme, path, authority],
    "an authority with a path": [method, scheme, path, [":authority", "a.test/x"]],
    "an authority with a query": [method, scheme, path, [":authority", "a.test?x"]],
    "an authority with a blank": [method, scheme, path, [":authority", "a.test b.test"]],
    "another scheme": [method, [":scheme", "ftp"], path, authority],
    "two methods": [method, method, scheme, path, authority],
    "two schemes": [method, scheme, scheme, path, authority],
    "two paths": [method, scheme, path, path, authority],
    "two authorities": [...GET, authority],
    "CONNECT": [[":method", "CONNECT"], authority],
    "extended CONNECT": [[":method", "CONNECT"], scheme, path, authority, [":protocol", "websocket"]],
    "two lengths": [...GET, ["content-length", "0"], ["content-length", "0"]],
    "a length that is no number": [...GET, ["content-length", "+1"]],
    "a length without a body": [...GET, ["content-length", "1"]],
  };
  const cases = Object.entries(fieldLists).map(([name, fields]): [string, Case] => {
    return [name, [[request(1, fields)], "reset 1 protocol"]];
  });
  await hears(Object.fromEntries(cases));
  const post = (length: number) => request(1, [...POST, ["content-length", `${length}`]], false);
  await hears({
    "a body that is too long": [[post(1), data(1, "ab", true)], "reset 1 protocol"],
    "a body that is too short": [[post(3), data(1, "ab", true)], "reset 1 protocol"],
    "bodies of several frames": [[post(3), data(1, "ab"), data(1, "cd", true)], "reset 1 protocol"],
    "a body of the right length": [[post(4), data(1, "ab"), data(1, "cd"), data(1, "", true)], "end 1"],
    "trailers that do not end": [
      [post(2), data(1, "ab"), request(1, [["x", "y"]], false)],
      "reset 1 protocol",
    ],
    "trailers with a pseudo-header": [[post(2), data(1, "ab"), request(1, [method])], "reset 1 protocol"],
    "trailers with an upper-case name": [
      [post(2), data(1, "ab"), request(1, [["X", "y"]])],
      "reset 1 protocol",
    ],
    "trailers before the body is whole": [
      [post(3), data(1, "ab"), request(1, [["x", "y"]])],
      "reset 1 protocol",
    ],
    "trailers": [[post(2), data(1, "ab"), request(1, [["x", "y"]])], "end 1"],
    "te: trailers": [[request(1, [...GET, ["te", "Trailers"]])], "end 1"],
  });
});

Deno.test("windows bound what either side sends (RFC 9113 §6.9)", async () => {
  const update = (streamId: number, bytes: string) => frame(FRAME.windowUpdate, 0, streamId, bytes);
  await hears({
    "a stream's window beyond its maximum": [
      [waiting(1), update(1, "7fffffff"), request(3)],
      "reset 1 flowControl",
    ],
    "the connection's window beyond its maximum": [[update(0, "7fffffff")], "goaway flowControl"],
    "more than a stream's window": [
      [
        request(1, [POST[0], POST[1], [":path", "/hang"], POST[3]], false),
        ...Array.from({ length: 60 }, () => data(1, "x".repeat(16_384))),
      ],
      "reset 1 flowControl",
    ],
  });
  await using server = start();
  using client = await FrameClient.connect(server.port, { settings: "000400000000" });
  await client.send(request(1));
  await client.until("200 1");
  await client.ping();
  assert.equal(client.dataOf(1), "");
  await client.send(update(1, "00000002"));
  await client.ping();
  assert.equal(client.dataOf(1), "GE");
  await client.send(frame(FRAME.settings, 0, 0, "000400000001"));
  await client.ping();
  assert.equal(client.dataOf(1), "GET");
  await client.send(frame(FRAME.settings, 0, 0, "000400000000"), update(1, "00000002"));
  await client.ping();
  assert.equal(client.dataOf(1), "GET ", "the window was 1 byte below 0");
  await client.send(update(1, "00000064"));
  await client.until("end 1");
  assert.equal(client.dataOf(1), "GET /");
});
