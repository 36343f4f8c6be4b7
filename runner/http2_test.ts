import assert from "node:assert/strict";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { AppIsolate } from "./testing/app_isolate.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { startTestRunner, until, untilStill } from "./testing/test_runner.ts";

const MIB = 1024 * 1024;
const REQUEST = { ":authority": "shop.example", ":path": "/", ":scheme": "http" };

/** A connection by prior knowledge; the client's own windows are small, so that it is the app who waits. */
function open(port: number): { session: ClientHttp2Session; closed: Promise<void> } {
  const session = connect(`http://127.0.0.1:${port}`);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  session.on("close", resolve);
  session.on("error", () => {});
  return { session, closed };
}

interface Answer {
  status: number;
  body: string;
}

/** The whole answer; rejects if it is cut. */
function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let body = "";
    stream.on("response", (fields) => status = Number(fields[":status"]));
    stream.on("data", (data) => body += data);
    stream.on("end", () => resolve({ status, body }));
    stream.on("error", reject);
    stream.on("aborted", () => reject(new Error("The stream was aborted")));
  });
}

/** An app that says how much it has read, or that the upload was broken off. */
function counting(uploads: string[]): AppIsolate {
  return AppIsolate.serving(async (request) => {
    const bytes = await request.bytes().catch(() => null);
    uploads.push(bytes === null ? "broken off" : String(bytes.length));
    return new Response(uploads.at(-1));
  });
}

Deno.test("many streams of one connection are answered, cookies as one field", async () => {
  await using app = AppIsolate.serving((request) =>
    new Response(`${new URL(request.url).pathname} ${request.headers.get("cookie")}`)
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  const { session, closed } = open(test.port);
  const answers = await Promise.all(Array.from({ length: 150 }, (_, i) => {
    return answerOf(session.request({ ...REQUEST, ":path": `/${i}`, cookie: ["a=1", "b=2"] }));
  }));
  assert.deepEqual(answers, answers.map((_, i) => ({ status: 200, body: `/${i} a=1; b=2` })));
  session.close();
  await closed;
  await until(async () => (await test.runner.inFlight()).length === 0);
});

Deno.test("an upload that is reset in the middle never seems whole", async () => {
  const uploads: string[] = [];
  await using app = counting(uploads);
  await using test = await startTestRunner({ acquire: app.socketPath });
  const { session, closed } = open(test.port);
  for (const length of [undefined, "100"]) {
    const before = (await test.runner.usage())[0]?.ingressBytes ?? 0;
    const headers = { ...REQUEST, ":method": "POST" };
    const stream = session.request(length === undefined ? headers : { ...headers, "content-length": length });
    stream.on("error", () => {});
    stream.write("hello");
    await until(async () => ((await test.runner.usage())[0]?.ingressBytes ?? 0) > before + 5);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(async () => (await test.runner.inFlight()).length === 0);
  }
  await until(() => uploads.length === 2);
  assert.deepEqual(uploads, ["broken off", "broken off"]);
  session.close();
  await closed;
});

Deno.test("a response that is cut never seems whole", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
  ];
  for (const answer of answers) {
    const gate = Promise.withResolvers<void>();
    await using isolate = new RawIsolate(async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write(answer);
      await gate.promise;
    });
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    const { session, closed } = open(test.port);
    const stream = session.request(REQUEST);
    const answered = answerOf(stream);
    stream.once("data", gate.resolve);
    await assert.rejects(answered);
    session.close();
    await closed;
  }
});

Deno.test("a client that leaves aborts its requests, before and after the head", async () => {
  const aborted: string[] = [];
  await using app = AppIsolate.serving((request) => {
    const path = new URL(request.url).pathname;
    const { promise, resolve } = Promise.withResolvers<Response>();
    request.signal.onabort = () => {
      aborted.push(path);
      resolve(new Response());
    };
    if (path === "/head") return promise;
    return new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }),
    );
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const { session, closed } = open(test.port);
  for (const path of ["/head", "/body"]) {
    const stream = session.request({ ...REQUEST, ":path": path });
    stream.on("error", () => {});
    if (path === "/body") await new Promise((resolve) => stream.once("data", resolve));
    else await until(async () => (await test.runner.inFlight()).length === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => aborted.includes(path));
  }
  const stream = session.request({ ...REQUEST, ":path": "/head" });
  stream.on("error", () => {});
  await until(async () => (await test.runner.inFlight()).length === 1);
  session.destroy();
  await closed;
  await until(() => aborted.length === 3);
  await until(async () => (await test.runner.inFlight()).length === 0);
});

Deno.test("a slow reader stops the app, not the other streams", async () => {
  let produced = 0;
  await using app = AppIsolate.serving((request) => {
    if (request.url.endsWith("/small")) return new Response("small");
    return new Response(
      new ReadableStream({
        pull: (controller) => {
          produced += 65536;
          controller.enqueue(new Uint8Array(65536));
        },
      }, { highWaterMark: 0 }),
    );
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const { session, closed } = open(test.port);
  const stream = session.request(REQUEST);
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("response", resolve));
  await untilStill(() => produced);
  assert.ok(produced < 32 * MIB, `${produced} bytes were produced for nobody`);
  assert.equal((await answerOf(session.request({ ...REQUEST, ":path": "/small" }))).body, "small");
  session.destroy();
  await closed;
});

Deno.test("a drain finishes what is in flight, uploads and downloads, and then tells the client to go", async () => {
  const gate = Promise.withResolvers<void>();
  const text = new TextEncoder();
  await using app = AppIsolate.serving(async (request) => {
    if (request.method === "POST") return new Response(await request.text().catch(() => "broken off"));
    const pieces = async function* () {
      yield text.encode("begin ");
      await gate.promise;
      yield text.encode("end");
    };
    return new Response(ReadableStream.from(pieces()));
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  // The client of `node:http2` drops its streams when it is told to go.
  using client = Deno.createHttpClient({ http1: false, http2: true });
  const download = await fetch(test.origin, { client });
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const uploaded = fetch(test.origin, { client, method: "POST", body: readable });
  const upload = writable.getWriter();
  await upload.write(text.encode("hello"));
  await until(async () => (await test.runner.usage())[0]!.inFlight === 2);

  const startedAt = performance.now();
  const drained = test.runner.drain(20_000);
  const { port } = test;
  await until(() => Deno.connect({ port }).then((conn) => conn.close(), () => true).then(Boolean));
  await upload.write(text.encode(" world"));
  await upload.close();
  assert.equal(await (await uploaded).text(), "hello world");
  gate.resolve();
  assert.equal(await download.text(), "begin end");
  await drained;
  assert.ok(performance.now() - startedAt < 15_000, "the client was not told to go");
});
