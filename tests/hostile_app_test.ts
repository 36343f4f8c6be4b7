import assert from "node:assert/strict";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { serverForTests } from "./server.ts";

const suite = serverForTests();

/** A program that takes the connection from `node:http` and writes what it likes. */
const APP = `
import { createServer } from "node:http";
const answers = JSON.parse(process.env.ANSWERS);
createServer((request, response) => {
  const answer = answers[request.url.slice(1)];
  if (answer === undefined) return response.end("fine");
  request.socket.write(Buffer.from(answer, "latin1"), () => answer === "" && request.socket.destroy());
}).listen(3000);
`;

/** Several, so that none breaks the protocol so often that it is backed off. */
const HOSTS = ["hostile0", "hostile1", "hostile2", "hostile3"];

const OK = "HTTP/1.1 200 OK\r\n";
/** None of these has a head that RFC 9112 allows. */
const BAD_HEADS: Record<string, string> = {
  garbage: "this is not HTTP\r\n\r\n",
  "no-version": "200 OK\r\n\r\n",
  "http2": "HTTP/2 200 OK\r\n\r\n",
  "no-status": "HTTP/1.1 OK\r\n\r\n",
  "status-99": "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
  "two-lengths": `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  "bad-length": `${OK}Content-Length: -1\r\n\r\n`,
  "both-framings": `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "unknown-coding": `${OK}Transfer-Encoding: gzip\r\n\r\n`,
  "folded": `${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`,
  "space-before-colon": `${OK}Content-Length : 0\r\n\r\n`,
  "bare-lf": "HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
  "nul": `${OK}X: a\0b\r\nContent-Length: 0\r\n\r\n`,
  "unasked-switch": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  "endless-head": `${OK}X: ${"a".repeat(200_000)}`,
};
/** The head is fine; the body ends the visitor's. */
const BAD_BODIES: Record<string, string> = {
  "bad-chunk": `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n`,
  "chunk-overrun": `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n`,
};

Deno.test.beforeAll(async () => {
  const answers = { ...BAD_HEADS, ...BAD_BODIES, nothing: "" };
  // As a file: a variable may have 16 KiB.
  const source = APP.replace("JSON.parse(process.env.ANSWERS)", JSON.stringify(answers));
  for (const host of HOSTS) await suite.server.deploy(host, `import process from "node:process";\n${source}`);
});

Deno.test("a response that breaks HTTP is a 502 for its visitor, and the next request is served", async (t) => {
  const { server } = suite;
  for (const [index, name] of Object.keys(BAD_HEADS).entries()) {
    await t.step(name, async () => {
      const host = HOSTS[index % HOSTS.length]!;
      const response = await server.fetch(host, `/${name}`);
      const text = await response.text();
      assert.equal(response.status, 502, text);
      assert.equal(response.headers.get("x-isola-error"), "BAD_RESPONSE");
      assert.equal(await server.text(host), "fine");
    });
  }
});

Deno.test("a connection that ends without a response is a 502, too", async () => {
  const { server } = suite;
  const response = await server.fetch(HOSTS[0]!, "/nothing");
  await response.body?.cancel();
  assert.deepEqual([response.status, response.headers.get("x-isola-error")], [502, "BAD_RESPONSE"]);
  assert.equal(await server.text(HOSTS[0]!), "fine");
});

Deno.test("a body that breaks its framing never ends well for the visitor", async (t) => {
  const { server } = suite;
  for (const [index, name] of Object.keys(BAD_BODIES).entries()) {
    await t.step(name, async () => {
      // Those with the fewest bad heads.
      const host = HOSTS.at(-1 - index)!;
      using visitor = await RawVisitor.send(
        server.httpPort,
        `GET /${name} HTTP/1.1\r\nHost: ${host}.localhost\r\nConnection: close\r\n\r\n`,
      );
      const received = await visitor.receiveAll();
      // A 502 if it was seen in time, else no end of the chunks.
      assert(received.startsWith("HTTP/1.1 502 ") || !received.endsWith("\r\n0\r\n\r\n"), received);
      assert.equal(await server.text(host), "fine");
    });
  }
});

Deno.test("what a response has too much never becomes the next visitor's response", async () => {
  const { server } = suite;
  const extra = `${OK}Content-Length: 5\r\n\r\nhello${OK}Content-Length: 8\r\n\r\npoisoned`;
  await server.deploy(
    "poison",
    `import { createServer } from "node:http";
     import { Buffer } from "node:buffer";
     createServer((request, response) => {
       if (request.url === "/") return response.end("clean");
       request.socket.write(Buffer.from(${JSON.stringify(extra)}));
     }).listen(3000);`,
  );
  for (let round = 0; round < 20; round++) {
    const response = await server.fetch("poison", "/extra");
    const text = await response.text();
    assert(text === "hello" || response.status === 502, text);
    assert.equal(await server.text("poison"), "clean");
  }
});
