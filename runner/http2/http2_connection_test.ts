import assert from "node:assert/strict";
import { until } from "../testing/test_runner.ts";
import { DEFAULT_VISITOR_LIMITS } from "../visitor_limits.ts";
import { Http2Connection } from "./http2_connection.ts";
import { FLAG, FRAME, PREFACE } from "./protocol.ts";
import { data, frame, FrameClient, GET, POST, request } from "./testing/frame_client.ts";
import { type H1App, serveH1, writeAll } from "./testing/h1_app.ts";
import { answerOf, NodeClient, textOf } from "./testing/node_client.ts";
import { startTestServer, text } from "./testing/test_server.ts";

const MIB = 1024 * 1024;

/** Of many octets, each of which tells where it is. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, i) => i % 251);
}

/** Shows the head that an app gets. */
const echoHead: H1App = ({ head }) => text(head);

Deno.test("a request comes as an HTTP/1.1 head, with its fields as they were sent", async () => {
  await using server = startTestServer(echoHead);
  await using client = new NodeClient(server.port);
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
  await using client = new NodeClient(server.port);
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
  await using client = new NodeClient(server.port);
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
  await using client = new NodeClient(server.port);
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

Deno.test("what is no response ends the connection: nobody knows what its other end has understood", async () => {
  const { error } = console;
  console.error = () => {};
  try {
    await using server = startTestServer(() => "HTTP/1.1 200 OK\r\nx-a: b\r\n\r\nno framing");
    using client = await FrameClient.connect(server.port);
    await client.send(request(1));
    await client.until("goaway internal");
    await client.until("closed");
  } finally {
    console.error = error;
  }
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
