import assert from "node:assert/strict";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { isRunning } from "./processes.ts";
import { appSource, serverForTests, until } from "./server.ts";

const IDLE_MS = 400;
const suite = serverForTests({ env: { ISOLA_IDLE_TIMEOUT_MS: String(IDLE_MS) } });
const LIFE = appSource("life.ts");

async function ask(host: string, path = "/"): Promise<{ born: string; requests: number }> {
  const response = await suite.server.fetch(host, path);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** Longer than an idle isolate lives, were it not for what is said to keep it. */
function waitLonger(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 4 * IDLE_MS));
}

async function assertEnds(id: string, pid: number): Promise<void> {
  await until("the isolate ends", async () => await suite.server.isolate(id) === undefined);
  await until("its process is gone", () => !isRunning(pid));
}

Deno.test("nothing runs before the first request; any number of first requests start one isolate", async () => {
  const { server } = suite;
  const { id } = await server.deploy("first", LIFE);
  await until("the trial has ended", async () => await server.isolate(id) === undefined);
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask("first")));
  assert.equal(new Set(answers.map(({ born }) => born)).size, 1);
  assert.deepEqual(answers.map(({ requests }) => requests).sort((a, b) => a - b).at(-1), 40);
  const isolates = (await server.isolates()).filter(({ deploymentId }) => deploymentId === id);
  assert.equal(isolates.length, 1);
  assert.equal(isolates[0]!.requests, 40);
});

Deno.test("an idle isolate ends with its process, and the next request starts another", async () => {
  const { server } = suite;
  const { id } = await server.deploy("idles", LIFE);
  const { born } = await ask("idles");
  const { pid } = (await server.isolate(id))!;
  assert(isRunning(pid));
  await assertEnds(id, pid);
  const next = await ask("idles");
  assert.notEqual(next.born, born);
  assert.equal(next.requests, 1);
});

Deno.test("requests keep an isolate, also those that take longer than the idle timeout", async () => {
  const { server } = suite;
  const { id } = await server.deploy("kept", LIFE);
  const { born } = await ask("kept");
  for (let i = 0; i < 3; i++) assert.equal((await ask("kept", `/sleep?ms=${2 * IDLE_MS}`)).born, born);
  const { pid } = (await server.isolate(id))!;
  await assertEnds(id, pid);
});

Deno.test("a stream that is being read keeps its isolate until the visitor goes away", async () => {
  const { server } = suite;
  const { id } = await server.deploy("streams", LIFE);
  const controller = new AbortController();
  const response = await server.fetch("streams", "/ticks", { signal: controller.signal });
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < 36 + 10) text += decoder.decode((await reader.read()).value);
  const { pid } = (await server.isolate(id))!;
  assert.equal((await ask("streams")).born, text.slice(0, 36));
  await waitLonger();
  assert.equal((await server.isolate(id))?.pid, pid);
  controller.abort();
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  });
  await assertEnds(id, pid);
});

Deno.test("an upload under way keeps its isolate, however slow", async () => {
  const { server } = suite;
  const { id } = await server.deploy("uploads", LIFE);
  const { born } = await ask("uploads");
  using visitor = await RawVisitor.send(
    server.httpPort,
    "POST /upload HTTP/1.1\r\nHost: uploads.localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
  );
  await visitor.write("a");
  await waitLonger();
  assert.equal((await server.isolate(id))?.inFlight, 1);
  await visitor.write("b");
  assert(await visitor.receive(new RegExp(born)));
  await until("the isolate ends", async () => await server.isolate(id) === undefined);
});

Deno.test("a timer that is to run keeps its isolate; an interval does not", async () => {
  const { server } = suite;
  const timer = await server.deploy("timer", LIFE);
  const interval = await server.deploy("interval", LIFE);
  await ask("timer", `/timer?ms=${6 * IDLE_MS}`);
  await ask("interval", "/interval");
  await until("the interval's isolate ends", async () => await server.isolate(interval.id) === undefined);
  await until("the timer's isolate ends", async () => await server.isolate(timer.id) === undefined);
  assert.deepEqual((await server.appLogs(timer.id)).map(({ message }) => message), ["the timer ran"]);
});
