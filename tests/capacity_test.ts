import assert from "node:assert/strict";
import { appSource, serverForTests, until } from "./server.ts";

const QUEUE_MS = 1500;
const suite = serverForTests({
  env: { ISOLA_MAX_ISOLATES: "2", ISOLA_QUEUE_TIMEOUT_MS: String(QUEUE_MS), ISOLA_IDLE_TIMEOUT_MS: "600000" },
});
const LIFE = appSource("life.ts");

async function ask(host: string, path = "/"): Promise<{ born: string; requests: number }> {
  const response = await suite.server.fetch(host, path);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** The deployments that have a live isolate. */
async function live(): Promise<string[]> {
  return (await suite.server.isolates()).filter(({ state }) => state === "ready").map((one) =>
    one.deploymentId
  )
    .sort();
}

async function assertOverloaded(host: string, path = "/"): Promise<void> {
  const startedAt = performance.now();
  const response = await suite.server.fetch(host, path, { headers: { accept: "application/json" } });
  const waitedMs = performance.now() - startedAt;
  assert.equal((await response.json()).code, "OVERLOADED");
  assert.equal(response.status, 503);
  assert(Number(response.headers.get("retry-after")) >= 1, "Retry-After");
  assert(waitedMs > QUEUE_MS - 100 && waitedMs < QUEUE_MS + 3000, `waited ${waitedMs}ms`);
}

/** Starts a request that is answered once `/open` was asked for. */
async function holdGate(host: string): Promise<{ open(): Promise<void> }> {
  const answered = ask(host, "/gate");
  await until(`the gate of ${host} is held`, async () => {
    return (await suite.server.isolates()).some(({ inFlight }) => inFlight > 0);
  });
  return {
    async open() {
      await ask(host, "/open");
      await answered;
    },
  };
}

Deno.test("at the cap the least recently used idle isolate makes room", async () => {
  const { server } = suite;
  const [a, b, c] = [
    await server.deploy("aaa", LIFE),
    await server.deploy("bbb", LIFE),
    await server.deploy("ccc", LIFE),
  ];
  await ask("aaa");
  await ask("bbb");
  const { born } = await ask("aaa");
  await ask("ccc");
  assert.deepEqual(await live(), [a.id, c.id].sort());
  assert.equal((await ask("aaa")).born, born);
  await ask("bbb");
  assert.deepEqual(await live(), [a.id, b.id].sort());
});

Deno.test("when no isolate is idle a request waits, then gets 503 with Retry-After, or its turn", async () => {
  const first = await holdGate("aaa");
  const second = await holdGate("bbb");
  await assertOverloaded("ccc");
  const waiting = ask("ccc");
  await first.open();
  await waiting;
  await second.open();
});

Deno.test("with every place taken a deployment can still be built, once there is room", async () => {
  const { server } = suite;
  const first = await holdGate("aaa");
  const second = await holdGate("bbb");
  const building = server.deploy("ddd", LIFE);
  await first.open();
  await building;
  await ask("ddd");
  await second.open();
});

Deno.test("past maxConcurrency requests wait for a place in the isolate, in order, then get 503", async () => {
  const { server } = suite;
  await server.deploy("narrow", LIFE, { limits: { maxConcurrency: 2 } });
  const { born } = await ask("narrow");
  const long = `/sleep?ms=${3 * QUEUE_MS}`;
  const held = [ask("narrow", long), ask("narrow", long)];
  await until("both are in", async () => (await server.isolates()).some(({ inFlight }) => inFlight === 2));
  await Promise.all([assertOverloaded("narrow"), assertOverloaded("narrow")]);
  await Promise.all(held);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask("narrow", "/sleep?ms=20")));
  assert(answers.every((answer) => answer.born === born));
});

Deno.test("a request that takes too long to answer gets 504, the next one its answer", async () => {
  const { server } = suite;
  await server.deploy("slow", LIFE, { limits: { requestTimeoutMs: 300 } });
  const { born } = await ask("slow");
  const response = await server.fetch("slow", "/hang");
  await response.body?.cancel();
  assert.deepEqual([response.status, response.headers.get("x-isola-error")], [504, "REQUEST_TIMEOUT"]);
  assert.equal((await ask("slow")).born, born);
});
