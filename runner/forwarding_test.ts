import assert from "node:assert/strict";
import { AppIsolate } from "./testing/app_isolate.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { RawVisitor } from "./testing/raw_visitor.ts";
import { startTestRunner, until } from "./testing/test_runner.ts";

const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/** What a visitor receives of one request, to the end of the connection. */
async function exchange(port: number, ...lines: string[]): Promise<string> {
  using visitor = await RawVisitor.send(port, `${lines.join("\r\n")}\r\nconnection: close\r\n\r\n`);
  return await visitor.receiveAll();
}

Deno.test("method, target and headers reach the app and its answer the visitor", async () => {
  await using app = AppIsolate.serving((request) =>
    Response.json({ method: request.method, url: request.url, headers: [...request.headers] }, {
      status: 299,
      headers: { "x-answer": "\xe9\xff" },
    })
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  const got = await exchange(
    test.port,
    "PROPFIND /a/../b%2Fc//?x=%zz&y HTTP/1.1",
    "Host: SHOP.example:8000",
    "x-latin: \xe9\xff",
  );
  assert.match(got, /^HTTP\/1\.1 299 /);
  assert.match(got, /\r\nx-answer: \xe9\xff\r\n/);
  const seen = JSON.parse(got.slice(got.indexOf("\r\n\r\n")));
  assert.equal(seen.method, "PROPFIND");
  assert.equal(seen.url, "http://SHOP.example:8000/a/../b%2Fc//?x=%zz&y");
  const headers = new Map<string, string>(seen.headers);
  assert.equal(headers.get("host"), "SHOP.example:8000");
  assert.equal(headers.get("x-forwarded-for"), "127.0.0.1");
  assert.match(headers.get("forwarded")!, /^for="127\.0\.0\.1:\d+";host="SHOP\.example:8000";proto=http$/);
});

Deno.test("hosts that name no deployment are 404 and those that are none are 400", async () => {
  await using test = await startTestRunner({ acquire: "/nowhere" });
  const rows: [lines: string[], code: string][] = [
    [["GET / HTTP/1.1", "host: other.example"], "DEPLOYMENT_NOT_FOUND"],
    [["GET / HTTP/1.1", "host: 127.0.0.1:8000"], "DEPLOYMENT_NOT_FOUND"],
    [["GET / HTTP/1.1", "host: [::1]:8000"], "DEPLOYMENT_NOT_FOUND"],
    [["GET / HTTP/1.1"], "BAD_REQUEST"],
    [["GET / HTTP/1.0"], "BAD_REQUEST"],
    [["GET / HTTP/1.1", "host:"], "BAD_REQUEST"],
    [["GET / HTTP/1.1", "host: a b"], "BAD_REQUEST"],
    [["GET / HTTP/1.1", "host: shop.example/x"], "BAD_REQUEST"],
    [["GET / HTTP/1.1", "host: x@shop.example"], "BAD_REQUEST"],
    [["GET http://other.example/ HTTP/1.1", "host: shop.example"], "BAD_REQUEST"],
    [["CONNECT shop.example:443 HTTP/1.1", "host: shop.example:443"], "BAD_REQUEST"],
    [["TRACE / HTTP/1.1", "host: shop.example"], "BAD_REQUEST"],
  ];
  for (const [lines, code] of rows) {
    assert.match(
      await exchange(test.port, ...lines),
      new RegExp(`\\r\\nx-isola-error: ${code}\\r\\n`),
      lines[1],
    );
  }
  const repeated = await exchange(
    test.port,
    "GET / HTTP/1.1",
    "host: shop.example",
    "host: shop.example",
  );
  assert.match(repeated, /^HTTP\/1\.1 400 /);
  assert.deepEqual(test.acquired, []);
});

Deno.test("HTTP/2 is routed by :authority, and a body without a length goes through", async () => {
  await using app = AppIsolate.serving(async (request) =>
    Response.json([
      request.method,
      request.url,
      request.headers.get("transfer-encoding"),
      await request.text(),
    ])
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  const { connect } = await import("node:http2");
  const session = connect(`http://127.0.0.1:${test.port}`);
  const ask = (headers: Record<string, string>, body: string | null) =>
    new Promise<unknown>((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === null });
      let text = "";
      stream.on("data", (data) => text += data).on("end", () => resolve(JSON.parse(text))).on(
        "error",
        reject,
      );
      if (body !== null) stream.end(body);
    });
  const authority = { ":authority": "Shop.example:1", ":path": "/p?q", ":scheme": "http" };
  try {
    assert.deepEqual(await ask({ ...authority, ":method": "GET" }, null), [
      "GET",
      "http://Shop.example:1/p?q",
      null,
      "",
    ]);
    assert.deepEqual(await ask({ ...authority, ":method": "POST" }, "hi"), [
      "POST",
      "http://Shop.example:1/p?q",
      "chunked",
      "hi",
    ]);
    assert.equal(((await ask({ ...authority, ":method": "POST" }, "")) as unknown[])[3], "");
  } finally {
    await new Promise<void>((resolve) => session.close(resolve));
  }
});

Deno.test("many Set-Cookie, an encoding and a range pass untouched", async () => {
  await using app = AppIsolate.serving((request) => {
    const headers = new Headers({ "content-encoding": "gzip", "content-range": "bytes 0-1/9" });
    headers.append("set-cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT");
    headers.append("set-cookie", "b=2");
    headers.set("x-accept", request.headers.get("accept-encoding") ?? "none");
    return new Response(new Uint8Array([0x1f, 0x8b]), { status: 206, headers });
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const got = await exchange(
    test.port,
    "GET / HTTP/1.1",
    "host: shop.example",
    "accept-encoding: zstd, gzip;q=0.1",
  );
  assert.match(got, /^HTTP\/1\.1 206 /);
  assert.deepEqual(got.match(/set-cookie: .*/g), [
    "set-cookie: a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
    "set-cookie: b=2",
  ]);
  assert.match(got, /x-accept: zstd, gzip;q=0\.1\r\n/);
  assert.match(got, /content-encoding: gzip\r\n/);
  assert.ok(got.endsWith("\r\n\r\n\x1f\x8b"));
});

Deno.test("HEAD, 204 and 304 have no body and keep what they may say of it", async () => {
  const rows: [method: string, answer: string, head: RegExp, not: RegExp][] = [
    ["HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", /content-length: 7\r\n/, /x{7}/],
    ["HEAD", "HTTP/1.1 200 OK\r\nx-a: b\r\n\r\n", /x-a: b\r\n/, /content-length: 0/],
    ["HEAD", "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n", / 204 [^]*x-a: b\r\n/, /content-length: 0/],
    ["HEAD", "HTTP/1.1 205 Reset Content\r\nx-a: b\r\n\r\n", / 205 [^]*x-a: b\r\n/, /x{7}/],
    ["HEAD", "HTTP/1.1 304 Not Modified\r\nx-a: b\r\n\r\n", / 304 [^]*x-a: b\r\n/, /content-length: 0/],
    [
      "GET",
      "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n",
      /^HTTP\/1\.1 204 [^]*x-a: b\r\n/,
      /content-length|transfer-enc/,
    ],
    [
      "GET",
      'HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n',
      /^HTTP\/1\.1 304 [^]*etag: "x"\r\n/,
      /transfer-enc/,
    ],
  ];
  for (const [method, answer, head, not] of rows) {
    await using isolate = RawIsolate.answering(answer);
    await using test = await startTestRunner({ acquire: isolate.socketPath });
    for (let i = 0; i < 2; i++) {
      const got = await exchange(test.port, `${method} / HTTP/1.1`, "host: shop.example");
      assert.match(got, head);
      assert.doesNotMatch(got, not);
      assert.ok(got.endsWith("\r\n\r\n"));
    }
    assert.equal(isolate.accepted, 1, "the connection was not kept");
  }
});

Deno.test("hop-by-hop headers of a response end here", async () => {
  await using isolate = RawIsolate.answering(
    "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\nproxy-authenticate: x\r\n" +
      "upgrade: h2c\r\ntrailer: x\r\nx-end: 1\r\ncontent-length: 0\r\n\r\n",
  );
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  using visitor = await RawVisitor.send(test.port, "GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
  await visitor.receive(/\r\n\r\n/);
  const names = visitor.received.split("\r\n").slice(1, -2).map((line) => line.split(":")[0]!.toLowerCase());
  assert.deepEqual(names.sort(), ["content-length", "date", "x-end"]);
});

Deno.test("one connection carries many requests, several only when they are at the same time", async () => {
  const gates: (() => void)[] = [];
  await using isolate = new RawIsolate(async (connection) => {
    for (let head; (head = await connection.readUntil("\r\n\r\n")) !== null;) {
      if (head.includes("/wait")) await new Promise<void>((resolve) => gates.push(resolve));
      await connection.write(HELLO);
    }
  });
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  for (let i = 0; i < 20; i++) assert.equal(await (await fetch(test.origin)).text(), "hello");
  assert.equal(isolate.accepted, 1);
  const waiting = [1, 2, 3].map(() => fetch(`${test.origin}/wait`).then((response) => response.text()));
  await until(() => gates.length === 3);
  for (const open of gates) open();
  assert.deepEqual(await Promise.all(waiting), ["hello", "hello", "hello"]);
  assert.equal(isolate.accepted, 3);
  assert.deepEqual(test.acquired, ["d1"]);
});

Deno.test("a node:http app sees the visitor's request, and its answer comes back", async () => {
  await using app = await AppIsolate.node((request, response) => {
    let body = "";
    request.on("data", (data) => body += data).on("end", () => {
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.end(JSON.stringify([request.method, request.url, request.headers.host, body]));
    });
  });
  await using test = await startTestRunner({ acquire: app.socketPath });
  const response = await fetch(`${test.origin}/p?q`, { method: "PUT", body: "hi" });
  const host = new URL(test.origin).host;
  assert.deepEqual(await response.json(), ["PUT", `http://${host}/p?q`, host, "hi"]);
  assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
});

Deno.test("what passes is counted", async () => {
  await using app = AppIsolate.serving(async (request) => new Response(await request.text()));
  await using test = await startTestRunner({ acquire: app.socketPath });
  const before = Date.now();
  for (let i = 0; i < 3; i++) {
    await (await fetch(test.origin, { method: "POST", body: "x".repeat(1000) })).text();
  }
  const [usage] = await test.runner.usage();
  assert.equal(usage!.isolateId, "i1");
  assert.equal(usage!.requests, 3);
  assert.equal(usage!.inFlight, 0);
  assert.ok(usage!.lastActiveAt >= before);
  assert.ok(usage!.ingressBytes > 3000 && usage!.ingressBytes < 6000);
  assert.ok(usage!.egressBytes > 3000 && usage!.egressBytes < 6000);
});
