import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { bytesOf, fieldValues, parseResponse, rawRequest, type RawResponse } from "./raw_http.ts";
import { appSource, serverForTests } from "./server.ts";

const suite = serverForTests();

Deno.test.beforeAll(async () => {
  await suite.server.deploy("echo", appSource("echo.ts"));
  await suite.server.deploy("wire", appSource("wire.ts"));
});

function send(host: string, requestLine: string, lines: string[] = [], body = ""): Promise<RawResponse> {
  const head = [`${requestLine} HTTP/1.1`, `Host: ${host}.localhost`, "Connection: close", ...lines];
  return rawRequest(suite.server.httpPort, `${head.join("\r\n")}\r\n\r\n${body}`);
}

/** What the echo app says that it received. */
async function received(requestLine: string, lines: string[] = [], body = "") {
  const response = await send("echo", requestLine, lines, body);
  assert.equal(response.status, 200, response.body);
  const said = JSON.parse(new TextDecoder().decode(bytesOf(response.body))) as {
    method: string;
    url: string;
    headers: [string, string][];
    remoteAddr: Deno.NetAddr;
    body: string;
  };
  return { ...said, header: (name: string) => said.headers.find(([field]) => field === name)?.[1] };
}

Deno.test("method, path and query arrive byte for byte", async () => {
  for (
    const target of [
      "/",
      "/a//b/./c/../d",
      "/%2e%2e/%2F%00%ff",
      "/?",
      "/?a=b&a=c&&=&%20+",
      "/a?b=http://x/y?z#",
      "/;p=1/:@!$&'()*,~",
      `/${"x".repeat(6000)}?${"y".repeat(6000)}`,
    ]
  ) {
    const { url } = await received(`GET ${target}`);
    assert.equal(url, `http://echo.localhost${target}`);
  }
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE"]) {
    assert.equal((await received(`${method} /`)).method, method);
  }
});

Deno.test("headers arrive as they were sent, apart from those of the connection", async () => {
  const { header } = await received("GET /", [
    "Accept: text/html",
    "Accept: application/json;q=0.5",
    "Cookie: a=b; c=d",
    "Cookie: e=f",
    "User-Agent: caf\xe9",
    "X-Empty:",
    "X_Under_Score: kept",
    `X-Long: ${"l".repeat(8000)}`,
    "Authorization: Bearer abc",
    "Accept-Encoding: br, gzip",
    'If-None-Match: "x", W/"y"',
    "TE: trailers",
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic secret",
    "Proxy-Connection: keep-alive",
  ]);
  assert.equal(header("accept"), "text/html, application/json;q=0.5");
  assert.equal(header("cookie"), "a=b; c=d; e=f");
  assert.equal(header("user-agent"), "caf\xe9");
  assert.equal(header("x-empty"), "");
  assert.equal(header("x_under_score"), "kept");
  assert.equal(header("x-long")!.length, 8000);
  assert.equal(header("authorization"), "Bearer abc");
  assert.equal(header("accept-encoding"), "br, gzip");
  assert.equal(header("if-none-match"), '"x", W/"y"');
  for (const name of ["te", "keep-alive", "connection", "proxy-authorization", "proxy-connection"]) {
    assert.equal(header(name), undefined, name);
  }
});

Deno.test("a header that Connection names stays on its connection", async () => {
  const head =
    "GET / HTTP/1.1\r\nHost: echo.localhost\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n";
  const { headers } = JSON.parse((await rawRequest(suite.server.httpPort, head)).body);
  const names = headers.map(([name]: [string]) => name);
  assert(!names.includes("x-hop"));
  assert(names.includes("x-end"));
});

Deno.test("bodies of every length and byte pass both ways, with a length or in chunks", async () => {
  const bytes = String.fromCharCode(...Uint8Array.from({ length: 256 }, (_, i) => i));
  for (const body of ["", "x", bytes, bytes.repeat(16), bytes.repeat(300), bytes.repeat(4096)]) {
    const counted = await send("wire", "POST /mirror", [`Content-Length: ${body.length}`], body);
    assert.equal(counted.body, body);
    let chunks = "";
    for (let at = 0; at < body.length; at += 10_007) {
      const chunk = body.slice(at, at + 10_007);
      chunks += `${chunk.length.toString(16)};extension="x"\r\n${chunk}\r\n`;
    }
    const chunked = await send("wire", "POST /mirror", ["Transfer-Encoding: chunked"], `${chunks}0\r\n\r\n`);
    assert.equal(chunked.body, body);
  }
});

Deno.test("statuses pass as they are", async () => {
  for (
    const status of [200, 201, 202, 203, 206, 207, 299, 300, 307, 400, 404, 418, 451, 499, 500, 503, 599]
  ) {
    const response = await send("wire", `GET /mirror?status=${status}`);
    assert.equal(response.status, status);
    assert.deepEqual(fieldValues(response, "x-isola-error"), []);
  }
  const redirect = await send("wire", "GET /redirect");
  assert.equal(redirect.status, 307);
  assert.deepEqual(fieldValues(redirect, "location"), ["http://elsewhere.example/path?x=1"]);
});

Deno.test("fifty cookies are fifty header lines, in order", async () => {
  const cookies = fieldValues(await send("wire", "GET /cookies"), "set-cookie");
  assert.equal(cookies.length, 50);
  cookies.forEach((cookie, i) =>
    assert.match(cookie, new RegExp(`^c${i}=${i}; Path=/; Expires=Wed, 21 Oct`))
  );
});

Deno.test("response headers pass, apart from those of the connection", async () => {
  const response = await send("wire", "GET /headers");
  assert.deepEqual(fieldValues(response, "x-list").join(", "), "a, b");
  assert.deepEqual(fieldValues(response, "x-latin"), ["caf\xe9"]);
  assert.deepEqual(fieldValues(response, "x-empty"), [""]);
  assert.deepEqual(fieldValues(response, "x-hop"), []);
  assert.deepEqual(fieldValues(response, "keep-alive"), []);
  assert.deepEqual(fieldValues(response, "date"), ["Mon, 01 Jan 2024 00:00:00 GMT"]);
  assert.deepEqual(fieldValues(response, "server"), ["mine"]);
});

Deno.test("an encoded body is passed without being decoded or encoded again", async () => {
  const gzip = await send("wire", "GET /encoded?format=gzip", ["Accept-Encoding: gzip"]);
  assert.deepEqual(fieldValues(gzip, "content-encoding"), ["gzip"]);
  assert.equal(gunzipSync(bytesOf(gzip.body)).toString(), "hello ".repeat(1000));
  // Not brotli at all: nobody on the way may care.
  const brotli = await send("wire", "GET /encoded?format=br");
  assert.deepEqual(fieldValues(brotli, "content-encoding"), ["br"]);
  assert.equal(brotli.body, gzip.body);
  const page = await send("wire", "GET /mirror", ["Accept-Encoding: gzip, br"]);
  assert.deepEqual(fieldValues(page, "content-encoding"), []);
});

Deno.test("HEAD, 204 and 304 have no body and keep their headers", async () => {
  const head = await send("wire", "HEAD /head");
  assert.deepEqual([head.status, head.body, head.rest], [200, "", ""]);
  assert.deepEqual(fieldValues(head, "content-length"), ["12"]);
  assert.deepEqual(fieldValues(head, "x-head"), ["yes"]);
  const nothing = await send("wire", "DELETE /nothing");
  assert.deepEqual([nothing.status, nothing.body, nothing.rest], [204, "", ""]);
  assert.deepEqual(fieldValues(nothing, "content-length"), []);
  assert.deepEqual(fieldValues(nothing, "x-empty"), ["yes"]);
  const unchanged = await send("wire", "GET /etag", ['If-None-Match: "v1"']);
  assert.deepEqual([unchanged.status, unchanged.body, unchanged.rest], [304, "", ""]);
  assert.deepEqual(fieldValues(unchanged, "etag"), ['"v1"']);
});

Deno.test("after a response without a body the connection serves the next request", async () => {
  using visitor = await RawVisitor.send(suite.server.httpPort, "");
  const next = (line: string) => visitor.write(`${line} HTTP/1.1\r\nHost: wire.localhost\r\n\r\n`);
  for (const line of ["HEAD /head", "GET /nothing", "GET /etag"]) {
    visitor.received = "";
    await next(line);
    await visitor.receive(/\r\n\r\n/);
    assert.equal(parseResponse(visitor.received).rest, "", line);
  }
  visitor.received = "";
  await next("GET /head");
  assert(await visitor.receive(/\r\n\r\ntwelve bytes$/));
});

Deno.test("requests that are sent without waiting are answered in order", async () => {
  const paths = ["/mirror?status=201", "/head", "/nothing", "/mirror?status=203"];
  const lines = paths.map((path, i) => {
    const connection = i === paths.length - 1 ? "Connection: close\r\n" : "";
    return `GET ${path} HTTP/1.1\r\nHost: wire.localhost\r\n${connection}\r\n`;
  });
  using visitor = await RawVisitor.send(suite.server.httpPort, lines.join(""));
  const received = await visitor.receiveAll();
  assert.deepEqual(received.match(/HTTP\/1\.1 \d+/gm), [
    "HTTP/1.1 201",
    "HTTP/1.1 200",
    "HTTP/1.1 204",
    "HTTP/1.1 203",
  ]);
});

Deno.test("an HTTP/1.0 visitor gets a body without chunks and the end of the connection", async () => {
  const { httpPort } = suite.server;
  const response = await rawRequest(httpPort, "GET /bytes?n=100000 HTTP/1.0\r\nHost: wire.localhost\r\n\r\n");
  assert.equal(response.status, 200);
  assert.deepEqual(fieldValues(response, "transfer-encoding"), []);
  assert.equal(response.body, "a".repeat(100_000));
});

Deno.test("an upgrade to anything but a WebSocket is ignored", async () => {
  const response = await send("wire", "GET /head", ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]);
  assert.deepEqual([response.status, response.body], [200, "twelve bytes"]);
});

Deno.test("ranges are the app's own", async () => {
  const whole = await send("wire", "GET /range");
  assert.equal(whole.body.length, 1000);
  const part = await send("wire", "GET /range", ["Range: bytes=10-19"]);
  assert.deepEqual([part.status, part.body], [206, whole.body.slice(10, 20)]);
  assert.deepEqual(fieldValues(part, "content-range"), ["bytes 10-19/1000"]);
  const beyond = await send("wire", "GET /range", ["Range: bytes=1000-"]);
  assert.deepEqual([beyond.status, beyond.body], [416, ""]);
});

Deno.test("Expect: 100-continue is answered before the body is sent", async () => {
  const head =
    "POST /mirror HTTP/1.1\r\nHost: wire.localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  using visitor = await RawVisitor.send(suite.server.httpPort, head);
  assert(await visitor.receive(/^HTTP\/1\.1 100 Continue\r\n\r\n/));
  await visitor.write("hello");
  assert(await visitor.receive(/HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello$/));
});

Deno.test("what a visitor says of the way it came is replaced by what is so", async () => {
  const { header, remoteAddr, url } = await received("GET /", [
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-For: 7.7.7.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 1",
    "Forwarded: for=6.6.6.6;host=evil.example",
    "X-Real-IP: 6.6.6.6",
    "X-Deno-Subhost: token",
    "x-deno-anything: 1",
    "X-Isola-Error: OVERLOADED",
    "X-ISOLA-Deployment: other",
    "Traceparent: nonsense",
    "Connection: close, host, forwarded, x-forwarded-for, cdn-loop",
  ]);
  assert.equal(header("x-forwarded-for")!.split(", ").at(-1), "127.0.0.1");
  assert.equal(header("x-forwarded-proto"), "http");
  assert.equal(header("x-forwarded-host"), "echo.localhost");
  assert.equal(header("x-forwarded-port"), undefined);
  assert(!header("forwarded")?.includes("6.6.6.6"));
  assert(!header("forwarded")?.includes("evil"));
  for (
    const name of ["x-real-ip", "x-deno-subhost", "x-deno-anything", "x-isola-error", "x-isola-deployment"]
  ) {
    assert.equal(header(name), undefined, name);
  }
  assert.equal(header("cdn-loop"), "isola");
  assert.match(header("traceparent")!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  assert.equal(url, "http://echo.localhost/");
  assert.equal(remoteAddr.hostname, "127.0.0.1");
  assert.equal(remoteAddr.transport, "tcp");
  assert(remoteAddr.port > 0);
});

Deno.test("a trace goes on, with its state", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { header } = await received("GET /", [`traceparent: ${traceparent}`, "tracestate: a=1,b=2"]);
  assert.equal(header("traceparent"), traceparent);
  assert.equal(header("tracestate"), "a=1,b=2");
});

Deno.test("a request that went through here eight times is a loop", async () => {
  const seven = Array(7).fill("isola").join(", ");
  assert.equal(
    (await received("GET /", [`CDN-Loop: other; v=1, ${seven}`])).header("cdn-loop"),
    `other; v=1, ${seven}, isola`,
  );
  const loop = await send("echo", "GET /", [`CDN-Loop: ${seven}`, "CDN-Loop: isola"]);
  assert.deepEqual([loop.status, ...fieldValues(loop, "x-isola-error")], [508, "LOOP_DETECTED"]);
});

Deno.test("a handler that throws is the app's own 500, which tells nothing", async () => {
  const response = await send("wire", "GET /throw");
  assert.equal(response.status, 500);
  assert.deepEqual(fieldValues(response, "x-isola-error"), []);
  assert(!response.body.includes("secret"));
});
