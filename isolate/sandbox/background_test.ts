import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

Deno.test("timers that are not due count as unfinished work, until they ran or were cleared", async () => {
  await using trial = await Trial.serve(`
    const timers = [];
    const commands = {
      set: () => timers.push(setTimeout(() => {}, 3_600_000)),
      clear: () => clearTimeout(timers.pop()),
      run: () => new Promise((resolve) => setTimeout(resolve, 1, "ran")),
      none: () => clearTimeout(undefined),
    };
    Deno.serve(async (request) => Response.json(await commands[new URL(request.url).pathname.slice(1)]() ?? null));
  `);
  assert.equal(await trial.sandbox.pendingWork(), 0);
  await trial.text("/set");
  await trial.text("/set");
  assert.equal(await trial.sandbox.pendingWork(), 2);
  await trial.text("/clear");
  await trial.text("/none");
  assert.equal(await trial.sandbox.pendingWork(), 1);
  assert.equal(await trial.json("/run"), "ran");
  assert.equal(await trial.sandbox.pendingWork(), 1);
  await trial.text("/clear");
  assert.equal(await trial.sandbox.pendingWork(), 0);
});

Deno.test("a fetch counts as unfinished work until it is answered or has failed", async () => {
  const answer = Promise.withResolvers<Response>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => answer.promise);
  const target = `127.0.0.1:${server.addr.port}`;
  await using trial = await Trial.start({ allowPrivate: [target] });
  await trial.assign(`
    Deno.serve((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/start") fetch("http://${target}").then((r) => r.text()).then(console.log);
      if (pathname === "/refused") fetch("http://127.0.0.1/").catch(() => console.log("refused"));
      return new Response();
    });
  `);
  await trial.text("/start");
  assert.equal(await trial.sandbox.pendingWork(), 1);
  await trial.text("/refused");
  await trial.logged("refused");
  assert.equal(await trial.sandbox.pendingWork(), 1);
  answer.resolve(new Response("finished"));
  await trial.logged("finished");
  assert.equal(await trial.sandbox.pendingWork(), 0);
});

Deno.test("intervals do not count as unfinished work", async () => {
  await using trial = await Trial.serve(`
    setInterval(() => {}, 1_000);
    Deno.serve(() => new Response("alive"));
  `);
  assert.equal(await trial.sandbox.pendingWork(), 0);
});

Deno.test("a program that does not answer is busy", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(() => { setTimeout(() => { for (;;); }); return new Response("blocked"); });
  `);
  assert.equal(await trial.text(), "blocked");
  assert.equal(await trial.sandbox.pendingWork(), 1);
});

Deno.test("timers and fetch keep their names, arguments and node's promisified form", async () => {
  await using trial = await Trial.serve(`
    import { promisify } from "node:util";
    import { setTimeout as sleep } from "node:timers/promises";
    const argument = await new Promise((resolve) => setTimeout((a, b) => resolve(a + b), 1, "a", "b"));
    const promisified = await promisify(setTimeout)(1, "p");
    const slept = await sleep(1, "s");
    Deno.serve(() => Response.json([setTimeout.name, clearTimeout.name, fetch.name, argument, promisified, slept]));
  `);
  assert.deepEqual(await trial.json(), ["setTimeout", "clearTimeout", "fetch", "ab", "p", "s"]);
});
