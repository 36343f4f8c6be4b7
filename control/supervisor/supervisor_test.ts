import assert from "node:assert/strict";
import type { Limits } from "../model.ts";
import { TestSupervisor, until } from "./testing/test_supervisor.ts";

const GREEDY = Deno.readTextFileSync(new URL("../../tests/apps/greedy.js", import.meta.url));
const greedy = (limits: Partial<Limits> = {}) => ({ source: GREEDY, limits });

const WAYS: Record<string, { path: string; code: "MEMORY_LIMIT" | "TIME_LIMIT"; limits?: Partial<Limits> }> =
  {
    "a synchronous loop": { path: "/loop", code: "TIME_LIMIT" },
    "a loop of microtasks": { path: "/microtasks", code: "TIME_LIMIT" },
    "a catastrophic regular expression": { path: "/regex", code: "TIME_LIMIT" },
    "a loop in WebAssembly": { path: "/wasm", code: "TIME_LIMIT" },
    "Atomics.wait": { path: "/wait", code: "TIME_LIMIT" },
    "objects": { path: "/heap", code: "MEMORY_LIMIT", limits: { cpuBlockMs: 20_000 } },
    "array buffers": { path: "/buffers", code: "MEMORY_LIMIT", limits: { cpuBlockMs: 20_000 } },
    "strings": { path: "/strings", code: "MEMORY_LIMIT", limits: { cpuBlockMs: 20_000 } },
    "the memory of a WebAssembly module": {
      path: "/wasm-memory",
      code: "MEMORY_LIMIT",
      limits: { cpuBlockMs: 20_000 },
    },
    "memory taken bit by bit": { path: "/later", code: "MEMORY_LIMIT" },
  };

for (const [name, { path, code, limits }] of Object.entries(WAYS)) {
  Deno.test(`${name} ends an isolate with ${code}, and the next request gets a fresh one`, async () => {
    await using test = await TestSupervisor.start({ a: greedy(limits) });
    const { visitors } = test;
    const first = await visitors.request("a", "/");
    const waiting = Array.from({ length: 5 }, () => visitors.request("a", "/hang"));
    const answers = await Promise.all([visitors.request("a", path), ...waiting]);
    assert.deepEqual(answers, answers.map(() => ({ code })));
    const second = await visitors.request("a", "/");
    assert.notEqual(second.text, first.text);
    assert.match(second.text!, /^[0-9a-f-]{36}$/);
    const line = await test.logged("a", /^The isolate was ended/);
    assert.match(
      line,
      new RegExp(`^The isolate was ended: ${code} \\(.*; CPU [\\d,]+ ms, .*up \\d+ s, 7 requests\\)$`),
    );
    assert.deepEqual(Object.values(test.supervisor.ends), [1]);
  });
}

Deno.test("too much CPU time per request ends an isolate, but not before twenty requests", async () => {
  await using test = await TestSupervisor.start({ a: greedy({ cpuMsPerRequest: 20 }) });
  const { visitors } = test;
  const { text: born } = await visitors.request("a", "/burn?ms=300");
  for (let i = 1; i < 19; i++) assert.equal((await visitors.request("a", "/burn?ms=30")).text, born);
  await visitors.request("a", "/");
  await until("it is ended", async () => (await visitors.request("a", "/burn?ms=30")).code === "TIME_LIMIT");
  const line = await test.logged("a", /^The isolate was ended/);
  assert.match(
    line,
    /TIME_LIMIT \(CPU per request \d+ ms of 20 ms; CPU [\d,]+ ms, memory \d+ MiB, up \d+ s, \d+ requests\)/,
  );
});

/** A process that keeps one core busy. */
function burner(): AsyncDisposable {
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", "for (;;);"], stdout: "null" }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

Deno.test("a tenant that works hard within its limits lives, however loaded the machine is", async () => {
  await using test = await TestSupervisor.start({ a: greedy({ cpuMsPerRequest: 2_000 }) });
  const { visitors } = test;
  const { text: born } = await visitors.request("a", "/");
  await using _ = burner();
  await using __ = burner();
  await using ___ = burner();
  for (let i = 0; i < 5; i++) {
    assert.equal((await visitors.request("a", "/burn?ms=800")).text, born, test.logs.at(-1)?.message);
  }
});

Deno.test("who waits for an isolate that uses too much memory before it serves gets MEMORY_LIMIT, and a back-off", async () => {
  const source = "const kept = []; for (;;) kept.push(new Uint8Array(8 * 1024 ** 2).fill(1));";
  await using test = await TestSupervisor.start({ a: { source } });
  assert.equal((await test.visitors.request("a", "/")).code, "MEMORY_LIMIT");
  const { code, retryAfterS } = await test.visitors.request("a", "/");
  assert.deepEqual([code, retryAfterS], ["MEMORY_LIMIT", 1]);
  await test.logged("a", /^The isolate was ended: MEMORY_LIMIT \(.*256 MiB.* 0 requests\)$/);
  await assert.rejects(test.supervisor.trial("a"), /MEMORY_LIMIT/);
});

Deno.test("a deployment that keeps exceeding its limits is backed off from the sixth time on", async () => {
  await using test = await TestSupervisor.start({ a: greedy({ cpuBlockMs: 100 }), b: greedy() });
  const { visitors } = test;
  for (let i = 0; i < 6; i++) assert.equal((await visitors.request("a", "/loop")).code, "TIME_LIMIT");
  const { code, retryAfterS } = await visitors.request("a", "/");
  assert.deepEqual([code, retryAfterS], ["TIME_LIMIT", 1]);
  assert.ok((await visitors.request("b", "/")).text);
  await until("it starts again", async () => (await visitors.request("a", "/")).text !== undefined);
});

Deno.test("what an isolate used is told every second and at its end, also when it is killed", async () => {
  await using test = await TestSupervisor.start({ a: greedy({ cpuMsPerRequest: 2_000 }) });
  const { visitors, supervisor } = test;
  for (let i = 0; i < 4; i++) await visitors.request("a", "/burn?ms=500");
  await until("it was told", () => test.used("a").requests === 4);
  const [info] = await supervisor.isolates();
  assert.equal(info!.requests, 4);
  assert.ok(info!.cpuMs >= 1_980 && info!.cpuMs < 2_500, `${info!.cpuMs}`);
  assert.ok(info!.memoryBytes > 10 * 1024 ** 2, `${info!.memoryBytes}`);
  const last = visitors.request("a", "/hang");
  await until("it is in flight", async () => (await supervisor.isolates())[0]!.inFlight === 1);
  Deno.kill(info!.pid, "SIGKILL");
  assert.equal((await last).code, "ISOLATE_CRASHED");
  await until("the rest was told", () => test.used("a").requests === 5);
  const { cpuMs, uptimeMs } = test.used("a");
  assert.ok(cpuMs >= info!.cpuMs && cpuMs < 2_500, `${cpuMs}`);
  assert.ok(uptimeMs > 0.6 * cpuMs, `${uptimeMs}`);
  assert.deepEqual(supervisor.ends, { crashed: 1 });
});
