import assert from "node:assert/strict";
import { appSource, startTestServer, type TestFiles, type TestServer, until } from "./server.ts";
import { VisitorSocket } from "./visitor_socket.ts";

const IDLE_MS = 500;
const EXPRESS: TestFiles = Object.fromEntries(
  ["package.json", "server.js", "views/index.ejs"].map((path) => [
    path,
    Deno.readTextFileSync(new URL(`fixtures/build/express_ejs/${path}`, import.meta.url)),
  ]),
);

async function startServer(env: Record<string, string> = {}): Promise<TestServer> {
  return await startTestServer({ env: { ISOLA_ISOLATION: "shared", ...env } });
}

async function bornOf(server: TestServer, name: string): Promise<string> {
  return JSON.parse(await server.text(name)).born;
}

Deno.test("deployments that share a process serve as those with one of their own do", async (t) => {
  await using server = await startServer();
  await server.deploy("life", appSource("life.ts"));
  await server.deploy("sockets", appSource("sockets.ts"));
  await server.deploy("express", EXPRESS, { entryPointUrl: "server.js" });
  await server.deploy("greedy", appSource("greedy.js"));

  await t.step("and say so", async () => {
    const { sandbox } = await server.api<{ sandbox: { detail: string } }>("GET", "/healthz");
    assert.match(sandbox.detail, /^shared: /);
    assert.match(server.output, /isolates share a process: only for code that you trust as your own/);
  });

  await t.step("in one process, a framework and WebSockets among them", async () => {
    assert.ok(await bornOf(server, "life"));
    const page = await server.fetch("express");
    assert.equal(page.status, 200, await page.text());
    await using socket = await VisitorSocket.open(server.httpPort, "sockets.localhost", "/");
    socket.send("hello");
    assert.equal(await socket.next(), "hello");
    assert.ok(await server.text("greedy"));
    const isolates = await server.isolates();
    assert.deepEqual([isolates.length, new Set(isolates.map(({ pid }) => pid)).size], [4, 1]);
  });

  await t.step("one that exits is started again, and takes nobody along", async () => {
    const born = await bornOf(server, "life");
    const greedy = await server.text("greedy");
    const { status, headers, body } = await server.fetch("life", "/exit");
    await body?.cancel();
    assert.deepEqual([status, headers.get("x-isola-error")], [502, "ISOLATE_CRASHED"]);
    assert.notEqual(await bornOf(server, "life"), born);
    assert.equal(await server.text("greedy"), greedy);
  });

  await t.step("one that never stops ends the process: it is told why, the others start again", async () => {
    const born = await bornOf(server, "life");
    const waiting = server.fetch("life", "/hang");
    await until("it waits", async () => (await server.isolates()).some(({ inFlight }) => inFlight > 0));
    const answers = await Promise.all([server.fetch("greedy", "/loop"), waiting]);
    const codes = answers.map(({ headers }) => headers.get("x-isola-error"));
    for (const { body } of answers) await body?.cancel();
    assert.deepEqual(codes, ["TIME_LIMIT", "ISOLATE_CRASHED"]);
    // What was blank in the process that ended may have been given a program that moment.
    await until("the other starts again", async () => {
      const response = await server.fetch("life");
      await response.body?.cancel();
      return response.ok;
    });
    assert.notEqual(await bornOf(server, "life"), born);
    assert.ok(await server.text("greedy"));
  });
});

Deno.test("an isolate that is idle ends, and the process it was in goes on", async () => {
  await using server = await startServer({ ISOLA_IDLE_TIMEOUT_MS: String(IDLE_MS) });
  const { id } = await server.deploy("life", appSource("life.ts"));
  const born = await bornOf(server, "life");
  const { pid } = (await server.isolate(id))!;
  await until("it is gone", async () => await server.isolate(id) === undefined);
  assert.notEqual(await bornOf(server, "life"), born);
  assert.equal((await server.isolate(id))!.pid, pid);
});

Deno.test("untrusted projects are refused where isolates share a process", async () => {
  await using server = await startServer();
  const { id, projectId } = await server.deploy("life", appSource("life.ts"));
  assert.ok(await bornOf(server, "life"));
  await server.api("PATCH", `/v1/projects/${projectId}`, { untrusted: true });
  await until("its isolate is gone", async () => await server.isolate(id) === undefined);
  const answer = await server.fetch("life");
  await answer.body?.cancel();
  assert.deepEqual([answer.status, answer.headers.get("x-isola-error")], [502, "BOOT_FAILURE"]);
  await until(
    "the log says why",
    async () => (await server.appLogs(id)).some(({ message }) => /its project is untrusted/.test(message)),
  );
  const created = await server.call("POST", `/v1/projects/${projectId}/deployments`, {
    entryPointUrl: "main.ts",
    assets: { "main.ts": { kind: "file", content: "" } },
    envVars: {},
  });
  const { message } = await created.json();
  assert.equal(created.status, 409);
  assert.match(message, /the project is untrusted/);
});

Deno.test("all layers cannot be required where isolates share a process", async () => {
  await assert.rejects(
    startServer({ ISOLA_SANDBOX: "required" }),
    /Cannot use isolation "shared" with sandbox "required"/,
  );
});
