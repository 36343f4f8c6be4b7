import assert from "node:assert/strict";
import { connect } from "node:http2";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { fieldValues, rawRequest, type RawResponse } from "./raw_http.ts";
import { appSource, serverForTests } from "./server.ts";

const suite = serverForTests();
const ECHO = appSource("echo.ts");

/** A GET with these Host lines, each as it is after "Host: ". */
function get(hosts: string[], target = "/"): Promise<RawResponse> {
  const lines = hosts.map((host) => `Host: ${host}\r\n`).join("");
  return rawRequest(suite.server.httpPort, `GET ${target} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`);
}

function errorCode(response: RawResponse): string | undefined {
  return fieldValues(response, "x-isola-error")[0];
}

/** One HTTP/2 request with prior knowledge; `:authority` only if it is among the headers. */
async function h2c(
  headers: Record<string, string>,
): Promise<{ status: number; code?: string; body: string }> {
  const session = connect(`http://127.0.0.1:${suite.server.httpPort}`);
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": "/", ...headers });
      let status = 0;
      let code: string | undefined;
      let body = "";
      stream.on("response", (fields) => {
        status = Number(fields[":status"]);
        code = fields["x-isola-error"] as string | undefined;
      });
      stream.setEncoding("utf8");
      stream.on("data", (text) => body += text);
      stream.on("error", reject);
      stream.on("end", () => resolve({ status, code, body }));
      stream.end();
    });
  } finally {
    session.close();
  }
}

Deno.test("a deployment is found by Host, whatever its case, port and trailing dot", async () => {
  await suite.server.deploy("hosts", ECHO);
  for (
    const host of [
      "hosts.localhost",
      "HOSTS.LocalHost",
      "hosts.localhost.",
      "hosts.localhost:80",
      "hosts.localhost:65535",
      "Hosts.Localhost.:8000",
    ]
  ) {
    const { status, body } = await get([host]);
    assert.equal(status, 200, host);
    assert.equal(JSON.parse(body).url, `http://${host}/`);
  }
});

Deno.test("a request without Host, with two, or with one that is no hostname is a 400", async () => {
  const { httpPort } = suite.server;
  const malformed = [
    "",
    "hosts.localhost/x",
    "x@hosts.localhost",
    "hosts..localhost",
    ".hosts.localhost",
    "hosts.localhost..",
    "hosts%2elocalhost",
    "hosts.localhost:65536",
    "hosts.localhost:x",
    "hosts localhost",
    "hosts.localhost\tx",
    "hosts.localhost,hosts.localhost",
    "http://hosts.localhost",
    "h\u00f6sts.localhost",
    `${"a".repeat(64)}.localhost`,
    "[::1",
    "[::1]x",
    "[:::1]",
    "::1",
  ];
  for (const host of malformed) {
    const response = await get([host]);
    assert.equal(response.status, 400, `"${host}": ${response.status} ${errorCode(response)}`);
  }
  assert.equal((await get([])).status, 400);
  assert.equal((await get(["hosts.localhost", "hosts.localhost"])).status, 400);
  assert.equal((await get(["hosts.localhost", "other.localhost"])).status, 400);
  assert.equal((await rawRequest(httpPort, "GET / HTTP/1.0\r\n\r\n")).status, 400);
});

Deno.test("IP literals are valid hosts that lead nowhere", async () => {
  for (const host of ["[::1]", "[::1]:8000", "[::ffff:127.0.0.1]", "127.0.0.1", "127.0.0.1:8000"]) {
    const response = await get([host]);
    assert.deepEqual([response.status, errorCode(response)], [404, "DEPLOYMENT_NOT_FOUND"], host);
  }
});

Deno.test("the absolute form names the host, and must not contradict Host", async () => {
  const { status, body } = await get(["hosts.localhost"], "http://hosts.localhost/a?b=c");
  assert.equal(status, 200);
  assert.equal(JSON.parse(body).url, "http://hosts.localhost/a?b=c");
  assert.equal((await get(["other.localhost"], "http://hosts.localhost/")).status, 400);
  assert.equal((await get(["hosts.localhost"], "http://other.localhost/")).status, 400);
  assert.equal((await get(["hosts.localhost"], "http://x@hosts.localhost/")).status, 400);
});

Deno.test("HTTP/2 with prior knowledge routes by :authority, which must not contradict Host", async () => {
  const found = await h2c({ ":authority": "Hosts.localhost.:8000" });
  assert.equal(found.status, 200);
  assert.equal(JSON.parse(found.body).url, "http://Hosts.localhost.:8000/");
  assert.equal((await h2c({ ":authority": "hosts.localhost", host: "hosts.localhost" })).status, 200);
  assert.equal((await h2c({ ":authority": "hosts.localhost", host: "other.localhost" })).status, 400);
  const unknown = await h2c({ ":authority": "other.localhost" });
  assert.deepEqual([unknown.status, unknown.code], [404, "DEPLOYMENT_NOT_FOUND"]);
});

Deno.test("CONNECT, TRACE and the asterisk form do not reach a deployment", async () => {
  const { server } = suite;
  await server.text("hosts", "/seen");
  const end = "Host: hosts.localhost\r\nConnection: close\r\n\r\n";
  const connect = await rawRequest(server.httpPort, `CONNECT hosts.localhost:80 HTTP/1.1\r\n${end}`);
  assert.equal(connect.status, 400);
  assert.equal((await rawRequest(server.httpPort, `TRACE / HTTP/1.1\r\n${end}`)).status, 400);
  assert.deepEqual(JSON.parse(await server.text("hosts", "/seen")), []);
});

Deno.test("an unknown host is a 404 with its code, as a page or as JSON, never cached, each with its own id", async () => {
  const { server } = suite;
  const page = await server.fetch("nobody");
  assert.equal(page.status, 404);
  assert.equal(page.headers.get("x-isola-error"), "DEPLOYMENT_NOT_FOUND");
  assert.match(page.headers.get("content-type")!, /^text\/html/);
  assert.equal(page.headers.get("cache-control"), "no-store");
  const id = page.headers.get("x-isola-request-id")!;
  assert.match(await page.text(), new RegExp(`^<!doctype html>[^]*DEPLOYMENT_NOT_FOUND[^]*${id}`));

  const json = await server.fetch("nobody", "/", { headers: { accept: "application/json" } });
  const body = await json.json();
  assert.deepEqual(Object.keys(body), ["code", "message", "requestId"]);
  assert.equal(body.code, "DEPLOYMENT_NOT_FOUND");
  assert.equal(body.requestId, json.headers.get("x-isola-request-id"));
  assert.notEqual(body.requestId, id);

  const head = await server.fetch("nobody", "/", { method: "HEAD" });
  assert.equal(head.status, 404);
  assert.equal(await head.text(), "");
});

/** What a proxy before us might read as one request and we as two, or the other way round. */
const SMUGGLING: Record<string, string> = {
  "both lengths, short content-length": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "2e\r\nGET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n0\r\n\r\n",
  "both lengths, chunked first": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" +
    "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n",
  "both lengths, the body ends first": "Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n",
  "two content-lengths": "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" +
    "GET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n",
  "a list of content-lengths":
    "Content-Length: 0, 50\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n",
  "a signed content-length":
    "Content-Length: +3\r\n\r\nabcGET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n",
  "a negative content-length":
    "Content-Length: -1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: hosts.localhost\r\n\r\n",
  "a hexadecimal content-length": "Content-Length: 0x3\r\n\r\nabcGET /smuggled HTTP/1.1\r\n\r\n",
  "an unknown coding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "chunked twice":
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "identity after chunked":
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "a coding by a folded line":
    "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "a vertical tab before the coding":
    "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "a NUL in a value": "X: a\0b\r\nContent-Length: 0\r\n\r\n",
  "a bare CR in a value": "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
  "an overflowing chunk size":
    "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nab\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
  "a chunk longer than its size": "Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
  "a negative chunk size":
    "Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
};

Deno.test("ambiguous framing ends in a 400 or the end of the connection, and hides no other request", async (t) => {
  const { server } = suite;
  const post = "POST /probe HTTP/1.1\r\nHost: hosts.localhost\r\n";
  const plain = await rawRequest(server.httpPort, `${post}Connection: close\r\nContent-Length: 2\r\n\r\nab`);
  assert.equal(JSON.parse(plain.body).body, btoa("ab"));
  for (const [name, probe] of Object.entries(SMUGGLING)) {
    await t.step(name, async () => {
      await server.text("hosts", "/seen");
      using visitor = await RawVisitor.send(server.httpPort, post + probe);
      const received = await visitor.receiveAll();
      assert.match(received, /^$|^HTTP\/1\.1 400 /, received);
      const seen: string[] = JSON.parse(await server.text("hosts", "/seen"));
      assert(seen.every((one) => one === "POST /probe"), JSON.stringify(seen));
    });
  }
});
