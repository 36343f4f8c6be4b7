import assert from "node:assert/strict";
import { appSource, serverForTests, type TestServer, until } from "./server.ts";

const suite = serverForTests();
const METER = appSource("meter.js");
const FLUSH_TIMEOUT_MS = 20_000;
const TOLERANCE = 0.05;

interface Analytics {
  fields: { name: string }[];
  values: (string | number | null)[][];
}

/** All rows of a project's analytics added up, by their fields. */
async function analytics(server: TestServer, projectId: string): Promise<Record<string, number>> {
  const { fields, values } = await server.api<Analytics>("GET", `/v1/projects/${projectId}/analytics`);
  const sums: Record<string, number> = {};
  for (const row of values) {
    for (const [index, { name }] of fields.entries()) {
      if (name !== "time") sums[name] = (sums[name] ?? 0) + Number(row[index]);
    }
  }
  return sums;
}

async function use(path: string): Promise<{ cpuMs: number }> {
  const response = await suite.server.fetch("meter", path);
  assert.equal(response.status, 200);
  return await response.json();
}

function assertNear(actual: number, expected: number, what: string) {
  const near = Math.abs(actual - expected) <= TOLERANCE * expected;
  assert.ok(near, `${what}: ${actual.toFixed(0)}, where the kernel says ${expected.toFixed(0)}`);
}

Deno.test("CPU time is counted as the kernel counts it: computing, cryptography on other threads, but not sleep", async () => {
  const { server } = suite;
  // More than is usual: the app computes in every request.
  const { id, projectId } = await server.deploy("meter", METER, { limits: { cpuMsPerRequest: 60_000 } });
  const own = await use("/");
  const before = (await server.isolate(id))!;

  await use("/sleep?amount=500");
  const slept = (await server.isolate(id))!;
  assert.ok(slept.cpuMs - before.cpuMs < 100, `sleep cost ${slept.cpuMs - before.cpuMs} ms`);

  await use("/burn?amount=1500");
  const { cpuMs } = await use("/derive?amount=300000");
  const used = cpuMs - own.cpuMs;
  assert.ok(used > 2_000, `the app has used ${used} ms only`);
  const after = (await server.isolate(id))!;
  assertNear(after.cpuMs - before.cpuMs, used, "isolates, ms");

  await until("the analytics have all of it", async () => {
    return (await analytics(server, projectId)).cpuSeconds! * 1000 >= after.cpuMs;
  }, FLUSH_TIMEOUT_MS);
  // From when it was given its program; what it took to load that is in.
  const { cpuSeconds } = await analytics(server, projectId);
  assertNear(cpuSeconds! * 1000, (await server.isolate(id))!.cpuMs, "analytics, ms");
});

Deno.test("requests and bytes are counted one by one, and none is lost when the isolate dies", async () => {
  const { server } = suite;
  const { id, projectId } = await server.deploy("meter", METER, { production: true });
  const counted = await analytics(server, projectId);
  const body = "x".repeat(100_000);
  for (let i = 0; i < 10; i++) {
    await (await server.fetch("meter", "/", { method: "POST", body })).body?.cancel();
  }
  Deno.kill((await server.isolate(id))!.pid, "SIGKILL");
  await until("the isolate is gone", async () => await server.isolate(id) === undefined);
  const requests = async () => (await analytics(server, projectId)).requestCount! - counted.requestCount!;
  await until("all requests are counted", async () => await requests() >= 10);
  assert.equal(await requests(), 10);
  const now = await analytics(server, projectId);
  assert.ok(now.networkIngressBytes! - counted.networkIngressBytes! >= 10 * body.length);
  assert.ok(now.uptimeSeconds! > counted.uptimeSeconds!);
  assert.ok(now.maxRssMemoryBytes! > 0);
});
