import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

const FORMS = {
  "Deno.serve(handler)": `Deno.serve((request) => new Response("served " + new URL(request.url).pathname));`,
  "Deno.serve(options, handler)":
    `Deno.serve({ port: 4507, hostname: "127.0.0.1" }, (r) => new Response("served " + new URL(r.url).pathname));`,
  "Deno.serve({ handler })":
    `Deno.serve({ port: 0, handler: async (r) => new Response("served " + new URL(r.url).pathname) });`,
  "export default { fetch }":
    `export default { prefix: "served ", fetch(r) { return new Response(this.prefix + new URL(r.url).pathname) } };`,
  "a default export with an inherited fetch":
    `class App { fetch(r) { return new Response("served " + new URL(r.url).pathname) } } export default new App();`,
  "a server that starts later":
    `setTimeout(() => Deno.serve((r) => new Response("served " + new URL(r.url).pathname)), 1500);`,
  "a server after a top-level await":
    `await new Promise((r) => setTimeout(r, 50)); Deno.serve((r) => new Response("served " + new URL(r.url).pathname));`,
};

for (const [form, source] of Object.entries(FORMS)) {
  Deno.test(`a program serves by ${form}`, async () => {
    await using trial = await Trial.serve(source);
    assert.equal(await trial.text("/path"), "served /path");
  });
}

Deno.test("the server says the address that the program asked for", async () => {
  await using trial = await Trial.serve(`
    let listening;
    const onListen = ({ hostname, port, transport }) => listening = { hostname, port, transport };
    const server = Deno.serve({ hostname: "1.2.3.4", port: 4507, onListen }, () => Response.json({ listening, addr: server.addr }));
    server.ref();
    server.unref();
  `);
  const address = { hostname: "1.2.3.4", port: 4507, transport: "tcp" };
  assert.deepEqual(await trial.json(), { listening: address, addr: address });
});

Deno.test("without an address the server says Deno's own default", async () => {
  await using trial = await Trial.serve(`const server = Deno.serve(() => Response.json(server.addr));`);
  assert.deepEqual(await trial.json(), { transport: "tcp", hostname: "0.0.0.0", port: 8000 });
});

Deno.test("only the first server gets requests, and the program is told", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(() => new Response("first"));
    const second = Deno.serve({ port: 9000 }, () => new Response("second"));
    await second.shutdown();
    await second.finished;
  `);
  assert.equal(await trial.text(), "first");
  const { level } = await trial.logged("Only the first server of a deployment gets requests");
  assert.equal(level, "warning");
});

Deno.test("a program that shuts its server down has ended", async () => {
  await using trial = await Trial.serve(`
    const server = Deno.serve(() => {
      server.shutdown();
      server.finished.then(() => console.log("finished"));
      return new Response("last");
    });
  `);
  assert.equal(await trial.text(), "last");
  assert.equal((await trial.sandbox.ended).reason, "exited");
});

Deno.test("a program that aborts its server's signal has ended", async () => {
  await using trial = await Trial.serve(`
    const controller = new AbortController();
    Deno.serve({ signal: controller.signal }, () => {
      setTimeout(() => controller.abort());
      return new Response("last");
    });
  `);
  assert.equal(await trial.text(), "last");
  assert.equal((await trial.sandbox.ended).reason, "exited");
});

Deno.test("a handler that throws is answered with 500 and logged, and the next request is served", async () => {
  await using trial = await Trial.serve(`
    function fail() { throw new Error("no luck"); }
    Deno.serve((r) => r.url.endsWith("/throw") ? fail() : new Response("fine"));
  `);
  const response = await trial.fetch("/throw");
  assert.equal(response.status, 500);
  assert.equal(await response.text(), "Internal Server Error");
  const { level, message } = await trial.logged("no luck");
  assert.equal(level, "error");
  assert.match(message, /at fail \(file:\/\/\/app\/main\.js:2:29\)/);
  assert.equal(await trial.text("/"), "fine");
});

Deno.test("a program's own onError answers for its handler", async () => {
  await using trial = await Trial.serve(`
    const onError = (error) => new Response(error.message, { status: 418 });
    Deno.serve({ onError }, () => { throw new Error("teapot"); });
  `);
  const response = await trial.fetch();
  assert.equal(response.status, 418);
  assert.equal(await response.text(), "teapot");
});

Deno.test("a handler learns the visitor's address from the header that the runner makes", async () => {
  await using trial = await Trial.serve(`Deno.serve((_, info) => Response.json(info.remoteAddr));`);
  const forwarded = async (forwarded?: string) =>
    await (await trial.fetch("/", { headers: forwarded === undefined ? {} : { forwarded } })).json();
  assert.deepEqual(await forwarded('for="192.0.2.7:4711"'), {
    transport: "tcp",
    hostname: "192.0.2.7",
    port: 4711,
  });
  assert.deepEqual(await forwarded('for="[2001:db8::7]:4711"'), {
    transport: "tcp",
    hostname: "2001:db8::7",
    port: 4711,
  });
  assert.deepEqual(await forwarded(), { transport: "tcp", hostname: "127.0.0.1", port: 0 });
});

Deno.test("info.completed settles when the response was sent", async () => {
  await using trial = await Trial.serve(`
    Deno.serve((_, info) => {
      info.completed.then(() => console.log("completed"));
      return new Response("body");
    });
  `);
  assert.equal(await trial.text(), "body");
  await trial.logged("completed");
});

Deno.test("bodies stream both ways, and a visitor who leaves aborts the request", async () => {
  await using trial = await Trial.serve(`
    Deno.serve((request) => {
      if (request.method === "POST") return new Response(request.body);
      request.signal.addEventListener("abort", () => console.log("aborted"));
      return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([1])) } }));
    });
  `);
  const sent = new Uint8Array(3_000_000).fill(7);
  const echoed = await trial.fetch("/", { method: "POST", body: sent });
  assert.equal((await echoed.bytes()).length, sent.length);
  const endless = await trial.fetch();
  const reader = endless.body!.getReader();
  await reader.read();
  await reader.cancel();
  await trial.logged("aborted");
});

Deno.test("a server upgrades to a WebSocket", async () => {
  await using trial = await Trial.serve(`
    Deno.serve((request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send("echo " + data);
      return response;
    });
  `);
  assert.equal(await trial.echo("hello"), "echo hello");
});

Deno.test("serving without a handler is the runtime's own error", async () => {
  await using trial = await Trial.start();
  await assert.rejects(trial.assign(`Deno.serve({ port: 8000 });`), {
    code: "boot_failure",
    message: /TypeError: .*handler/,
  });
});

Deno.test("raw listening is refused with the runtime's error class", async () => {
  await using trial = await Trial.serve(`
    const attempt = (run) => { try { run(); return "allowed" } catch (error) { return error.name } };
    Deno.serve(() => Response.json([
      attempt(() => Deno.listen({ port: 0 })),
      attempt(() => Deno.listen({ transport: "unix", path: "/tmp/x.sock" })),
      attempt(() => Deno.listenTls({ port: 0, cert: "", key: "" })),
    ]));
  `);
  assert.deepEqual(await trial.json(), ["PermissionDenied", "PermissionDenied", "PermissionDenied"]);
});
