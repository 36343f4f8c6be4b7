import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

const FORMS = {
  "listen(port, callback)": `createServer(answer).listen(3000, () => console.log("listening"));`,
  "listen({ port, host }, callback)":
    `createServer(answer).listen({ port: 3000, host: "localhost" }, () => console.log("listening"));`,
  "listen(port, host, backlog, callback)":
    `createServer(answer).listen(3000, "127.0.0.1", 511, () => console.log("listening"));`,
  "listen() and events": `
    const server = createServer();
    server.on("request", answer);
    server.once("listening", () => console.log("listening"));
    server.listen();`,
  "a server that starts later": `
    setTimeout(() => createServer(answer).listen(process.env.PORT, () => console.log("listening")), 100);`,
  "a framework's listen that hands the server back": `
    const app = (request, response) => answer(request, response);
    app.listen = (...args) => createServer(app).listen(...args);
    const server = app.listen(3000, () => console.log("listening", server.address().port));`,
};

for (const [form, source] of Object.entries(FORMS)) {
  Deno.test(`a node:http program serves by ${form}`, async () => {
    await using trial = await Trial.serve(`
      import { createServer } from "node:http";
      import process from "node:process";
      const answer = (request, response) => response.end("served " + request.url);
      ${source}
    `);
    assert.equal(await trial.text("/path?q=1"), "served /path?q=1");
    await trial.logged("listening");
  });
}

Deno.test("a node:http server says an address on TCP with the port that was asked for", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    const server = http.createServer((_, response) => response.end(JSON.stringify(server.address()))).listen(3000);
  `);
  assert.deepEqual(await trial.json(), { address: "0.0.0.0", family: "IPv4", port: 3000 });
});

Deno.test("a node:http handler sees the request in origin form and the visitor's address", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    http.createServer(({ method, url, headers, socket }, response) => {
      response.end(JSON.stringify([method, url, headers["x-a"], socket.remoteAddress, socket.remotePort]));
    }).listen(3000);
  `);
  const answer = await trial.raw(
    "PUT http://shop.example/p?q=http://x HTTP/1.1\r\nhost: shop.example\r\nx-a: 1\r\n" +
      'forwarded: for="192.0.2.7:4711"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
  );
  assert.match(answer, /\["PUT","\/p\?q=http:\/\/x","1","192\.0\.2\.7",4711\]/);
});

Deno.test("only the first of two node:http servers gets requests", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    http.createServer((_, response) => response.end("first")).listen(3000);
    await new Promise((resolve) => http.createServer((_, response) => response.end("second")).listen(3001, resolve));
    console.log("second listens");
  `);
  await trial.logged("second listens");
  await trial.logged("this node:http server gets none");
  assert.equal(await trial.text(), "first");
});

Deno.test("a framework that opens a server for each address of localhost has one", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    const answer = (_, response) => response.end("answer");
    const main = http.createServer(answer).listen(3000, "127.0.0.1", () => {
      const second = http.createServer(answer).listen(3000, "::1", () => console.log("both", second.address().port));
    });
  `);
  await trial.logged("both 3000");
  assert.equal(await trial.text(), "answer");
  assert.equal(trial.logs.length, 1);
});

Deno.test("a Deno.serve after a node:http server gets none", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    await new Promise((resolve) => http.createServer((_, response) => response.end("node")).listen(3000, resolve));
    Deno.serve(() => new Response("deno"));
  `);
  assert.equal(await trial.text(), "node");
  await trial.logged("this Deno.serve call gets none");
});

Deno.test("a node:http program that closes its server has ended", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    const server = http.createServer((_, response) => { response.end("last"); server.close(); }).listen(3000);
  `);
  assert.equal(await trial.text("/", { headers: { connection: "close" } }), "last");
  assert.equal((await trial.sandbox.ended).reason, "exited");
});

Deno.test("a node:http server keeps an idle connection open for the runner", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    const server = http.createServer((_, response) => {
      response.end(JSON.stringify([server.keepAliveTimeout, server.requestTimeout]));
    }).listen(3000);
  `);
  assert.deepEqual(await trial.json(), [0, 0]);
});

Deno.test("a node:http server streams bodies both ways", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    http.createServer((request, response) => request.pipe(response)).listen(3000);
  `);
  const response = await trial.fetch("/", { method: "POST", body: new Uint8Array(3_000_000) });
  assert.equal((await response.bytes()).length, 3_000_000);
});

Deno.test("an async node:http handler that throws ends the program with its error in the log", async () => {
  await using trial = await Trial.serve(`
    import http from "node:http";
    http.createServer(async () => { throw new Error("no luck"); }).listen(3000);
  `);
  await assert.rejects(trial.fetch());
  assert.equal((await trial.sandbox.ended).reason, "exited");
  assert.match((await trial.logged("no luck")).message, /file:\/\/\/app\/main\.js:3:/);
});

Deno.test("a node:net server cannot listen", async () => {
  await using trial = await Trial.serve(`
    import net from "node:net";
    const attempt = (...args) => new Promise((resolve) => {
      net.createServer().on("error", (error) => resolve(error.code)).listen(...args, () => resolve("listens"));
    });
    const results = [await attempt(0), await attempt(0, "127.0.0.1"), await attempt("/tmp/isola-test.sock")];
    Deno.serve(() => Response.json(results));
  `);
  assert.deepEqual(await trial.json(), ["EACCES", "EACCES", "EACCES"]);
});
