import assert from "node:assert/strict";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { until, untilStill } from "../testing/test_runner.ts";
import { DEFAULT_VISITOR_LIMITS } from "../visitor_limits.ts";
import { Http2Connection } from "./http2_connection.ts";
import { FLAG, FRAME, PREFACE } from "./protocol.ts";
import { data, frame, FrameClient, GET, POST, request } from "./testing/frame_client.ts";
import { type H1App, serveH1, writeAll } from "./testing/h1_app.ts";
import { startTestServer, text } from "./testing/test_server.ts";

const MIB = 1024 * 1024;
const A = { ":authority": "a.test", ":path": "/" };

/** A client of Node's, closed at the end. */
class Client implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly #closed = Promise.withResolvers<void>();

  constructor(port: number) {
    this.session = connect(`http://127.0.0.1:${port}`);
    this.session.on("close", this.#closed.resolve);
    this.session.on("error", () => {});
  }

  request(fields: Record<string, string | string[]>, endStream = true): ClientHttp2Stream {
    const stream = this.session.request({ ...A, ...fields }, { endStream });
    stream.on("error", () => {});
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    await this.#closed.promise;
  }
}

interface Answer {
  status: number;
  fields: Record<string, unknown>;
  body: Uint8Array;
}

/** The whole answer; rejects if it is cut. */
function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const answer: Answer = { status: 0, fields: {}, body: new Uint8Array(0) };
    const parts: Uint8Array<ArrayBuffer>[] = [];
    stream.on("response", (fields) => {
      answer.status = Number(fields[":status"]);
      answer.fields = fields;
    });
    stream.on("data", (part) => parts.push(part));
    stream.on("end", async () => resolve({ ...answer, body: await new Blob(parts).bytes() }));
    stream.on("error", reject);
    stream.on("aborted", () => reject(new Error("The stream was aborted")));
  });
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  return new TextDecoder().decode((await answerOf(stream)).body);
}

/** Of many octets, each of which tells where it is. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, i) => i % 251);
}

/** Shows the head that an app gets. */
const echoHead: H1App = ({ head }) => text(head);

Deno.test("a request comes as an HTTP/1.1 head, with its fields as they were sent", async () => {
  await using server = startTestServer(echoHead);
  await using client = new Client(server.port);
  const fields = { ":path": "/a?b=ü%20", "x-one": ["1", "2"], cookie: ["a=1", "b=2"], "user-agent": "test" };
  const head = await textOf(client.request(fields));
  const lines = "host: a.test\r\nx-one: 1\r\nx-one: 2\r\nuser-agent: test\r\ncookie: a=1; b=2\r\n\r\n";
  assert.match(head, /^GET \/a\?b=/);
  assert.ok(head.endsWith(` HTTP/1.1\r\n${lines}`), head);
  const other = { ":method": "DELETE", ":authority": "b.test:8080", ":path": "/x" };
  assert.equal(await textOf(client.request(other)), "DELETE /x HTTP/1.1\r\nhost: b.test:8080\r\n\r\n");
});

Deno.test("an authority and a host that differ are both told, one that is missing neither", async () => {
  await using server = startTestServer(echoHead);
  const [method, scheme, path, authority] = GET;
  const cases = [
    [[...GET, ["host", "a.test"]], "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n"],
    [[...GET, ["host", "b.test"]], "GET http://a.test/ HTTP/1.1\r\nhost: b.test\r\n\r\n"],
    [[method, scheme, path, ["host", "b.test"]], "GET / HTTP/1.1\r\nhost: b.test\r\n\r\n"],
    [[method, scheme, path], "GET / HTTP/1.1\r\n\r\n"],
    [[method, scheme, path, [":authority", ""]], "GET / HTTP/1.1\r\nhost: \r\n\r\n"],
    [[method, scheme, authority, [":path", "*"]], "GET * HTTP/1.1\r\nhost: a.test\r\n\r\n"],
  ] as const;
  for (const [fields, head] of cases) {
    using client = await FrameClient.connect(server.port);
    await client.send(request(1, fields));
    await client.until("end 1");
    assert.equal(client.dataOf(1), head);
  }
});

Deno.test("a hundred streams at once are answered, and the connections behind them are used again", async () => {
  await using server = startTestServer(async ({ path, body }) => text(`${path} ${(await body()).length}`));
  await using client = new Client(server.port);
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => {
      const stream = client.request({ ":path": `/${i}`, ":method": "POST" }, false);
      stream.end(pattern(i * 100));
      return textOf(stream);
    }));
    assert.deepEqual(answers, answers.map((_, i) => `/${i} ${i * 100}`));
  }
  await until(() => server.connections[0]!.idle);
});

Deno.test("large bodies go both ways, with or without a length", async () => {
  await using server = startTestServer(async ({ body, head, socket }) => {
    const bytes = await body();
    if (!/\r\ncontent-length/.test(head)) {
      await writeAll(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      for (let at = 0; at < bytes.length; at += 100_000) {
        const part = bytes.subarray(at, at + 100_000);
        await writeAll(socket, `${part.length.toString(16)}\r\n`);
        await writeAll(socket, part);
        await writeAll(socket, "\r\n");
      }
      return "0\r\nx-trailer: dropped\r\n\r\n";
    }
    await writeAll(socket, `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`);
    await writeAll(socket, bytes);
    return "";
  });
  await using client = new Client(server.port);
  const body = pattern(5 * MIB);
  const uploads = [{}, { "content-length": `${body.length}` }] as Record<string, string>[];
  const answers = await Promise.all([...uploads, ...uploads].map((fields) => {
    const stream = client.request({ ...fields, ":method": "POST" }, false);
    stream.end(body);
    return answerOf(stream);
  }));
  for (const answer of answers) assert.deepEqual(answer.body, body);
});

Deno.test("HEAD, 204, 304, interim responses and connection-specific fields", async () => {
  const responses: Record<string, string> = {
    "/head": "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n",
    "/204": "HTTP/1.1 204 No Content\r\nX-Upper: Case\r\n\r\n",
    "/304": 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 5\r\n\r\n',
    "/0": "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    "/hop":
      "HTTP/1.1 200 OK\r\nkeep-alive: 1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  };
  await using server = startTestServer(async ({ path, socket, body }) => {
    if (path !== "/continue") return responses[path]!;
    await writeAll(socket, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    return text(`${(await body()).length}`);
  });
  await using client = new Client(server.port);
  const head = await answerOf(client.request({ ":path": "/head", ":method": "HEAD" }));
  assert.deepEqual([head.status, head.fields["content-length"], head.body.length], [200, "12", 0]);
  const empty = await answerOf(client.request({ ":path": "/204" }));
  assert.deepEqual([empty.status, empty.fields["x-upper"]], [204, "Case"]);
  const same = await answerOf(client.request({ ":path": "/304" }));
  assert.deepEqual([same.status, same.fields.etag], [304, '"a"']);
  assert.equal((await answerOf(client.request({ ":path": "/0" }))).status, 404);
  const { fields } = await answerOf(client.request({ ":path": "/hop" }));
  assert.deepEqual(Object.keys(fields), [":status"]);

  const stream = client.request({ ":path": "/continue", ":method": "POST", expect: "100-continue" }, false);
  const hints: number[] = [];
  stream.on("headers", (fields) => hints.push(Number(fields[":status"])));
  stream.on("continue", () => stream.end("hello"));
  assert.equal(await textOf(stream), "5");
  assert.deepEqual(hints, [100, 103]);
});

Deno.test("all that is ready in one turn of the event loop is one write", async () => {
  const writes: number[] = [];
  const input = [new Uint8Array([...PREFACE, ...frame(FRAME.settings, 0, 0)])];
  input.push(new Uint8Array(Array.from({ length: 50 }, (_, i) => [...request(2 * i + 1)]).flat()));
  const over = Promise.withResolvers<null>();
  const connection = new Http2Connection({
    socket: {
      read: (buffer) => {
        const bytes = input.shift();
        if (bytes === undefined) return over.promise;
        buffer.set(bytes);
        return Promise.resolve(bytes.length);
      },
      write: async (bytes) => {
        writes.push(bytes.length);
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (writes.length === 2) over.resolve(null);
        return bytes.length;
      },
      closeWrite: () => Promise.resolve(),
      close: () => {},
    },
    received: new Uint8Array(4096).subarray(0, 0),
    peer: { hostname: "127.0.0.1", port: 1 },
    limits: DEFAULT_VISITOR_LIMITS,
    serve: (stream) => serveH1(stream, () => text("hello")),
  });
  await connection.run();
  assert.equal(writes.length, 2, "settings, responses");
});

Deno.test("a slow app bounds what its stream sends, and stops no other", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = startTestServer(async ({ path, body }) => {
    if (path === "/slow") await gate.promise;
    return text(`${(await body()).length}`);
  });
  await using client = new Client(server.port);
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
  await using client = new Client(server.port);
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
  await using client = new Client(server.port);
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

Deno.test("a response that is cut resets its stream", async () => {
  await using server = startTestServer(async ({ path, socket }) => {
    if (path === "/none") return socket.close();
    await writeAll(socket, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    socket.close();
  });
  using client = await FrameClient.connect(server.port);
  await client.send(request(1), request(3, [GET[0], GET[1], [":path", "/none"], GET[3]]));
  await client.until("reset 1 internal");
  await client.until("reset 3 internal");
});

Deno.test("a response before the end of its request is whole, and the rest of the upload is let in for a while", async () => {
  await using server = startTestServer(() =>
    "HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"
  );
  using client = await FrameClient.connect(server.port);
  await client.send(request(1, POST, false));
  await client.until("end 1");
  await client.send(data(1, "rest"), data(1, "", true), request(3, POST, false));
  await client.until("end 3");
  assert.equal(client.dataOf(3), "no");
  assert.ok(!client.said.some((said) => said.startsWith("reset 1")), client.said.join());
});

Deno.test("curl speaks with it", async () => {
  await using server = startTestServer(async ({ body, method }) =>
    text(`${method} ${(await body()).length}`)
  );
  const curl = async (...args: string[]) => {
    const url = `http://127.0.0.1:${server.port}/`;
    const command = new Deno.Command("curl", { args: ["-sS", "--http2-prior-knowledge", ...args, url] });
    const { stdout, stderr } = await command.output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  assert.equal(await curl(), "GET 0");
  assert.equal(await curl("-d", "hello"), "POST 5");
  assert.equal(await curl("-w", "%{http_code} %{http_version}", "-o", "/dev/null"), "200 2");
});

Deno.test("a drain lets streams begin for a moment, finishes them, and ends", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = startTestServer(async ({ path }) => {
    if (path === "/wait") await gate.promise;
    return text(path);
  });
  using client = await FrameClient.connect(server.port);
  await client.send(request(1, [GET[0], GET[1], [":path", "/wait"], GET[3]]));
  await client.ping();
  const [connection] = server.connections;
  connection!.drain();
  await client.until("goaway none");
  const last = () => {
    const goaways = client.frames.filter(({ type }) => type === FRAME.goaway);
    return goaways.map(({ payload }) => new DataView(payload.buffer).getUint32(0));
  };
  assert.deepEqual(last(), [2 ** 31 - 1]);
  await client.send(request(3));
  await client.until("end 3");
  const ping = client.frames.find(({ type, flags }) => type === FRAME.ping && flags === 0)!;
  await client.send(
    frame(FRAME.ping, FLAG.ack, 0, ping.payload),
    request(5, POST, false),
    data(5, "late", true),
  );
  await client.ping();
  assert.deepEqual(last(), [2 ** 31 - 1, 3]);
  gate.resolve();
  await client.until("end 1");
  await client.until("closed");
  assert.ok(!client.said.includes("200 5"));
});
