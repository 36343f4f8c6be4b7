import assert from "node:assert/strict";
import { appSource, serverForTests, until } from "./server.ts";

const suite = serverForTests();
const GREEDY = appSource("greedy.js");
const IN_FLIGHT = 20;

/** What a visitor gets: the app's answer, or the code of the data plane. */
async function ask(
  host: string,
  path = "/",
): Promise<{ text?: string; code?: string; retryAfterS?: number }> {
  const response = await suite.server.fetch(host, path);
  const text = await response.text();
  if (response.status === 200) return { text };
  assert.equal(response.status, 502, text);
  const retryAfter = response.headers.get("retry-after");
  return {
    code: response.headers.get("x-isola-error")!,
    ...(retryAfter && { retryAfterS: Number(retryAfter) }),
  };
}

/** How many isolates have ended so far, for this reason. */
async function ends(reason: string): Promise<number> {
  const response = await fetch(`${suite.server.controlUrl}/metrics`);
  const text = await response.text();
  return Number(
    new RegExp(`^isola_isolates_ended_total\\{reason="${reason}"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0,
  );
}

const WAYS = [
  {
    path: "/loop",
    reason: "time_limit",
    code: "TIME_LIMIT",
    cause: /event loop held for [\d,]+ ms of 1,000 ms/,
  },
  {
    path: "/wait",
    reason: "time_limit",
    code: "TIME_LIMIT",
    cause: /event loop held for [\d,]+ ms of 1,000 ms/,
  },
  {
    path: "/buffers",
    reason: "memory_limit",
    code: "MEMORY_LIMIT",
    cause: /memory (\d+ MiB of|past) 200 MiB/,
  },
];

for (const { path, reason, code, cause } of WAYS) {
  Deno.test(`${path}: all that is in flight gets ${code}, a neighbour notices nothing, the next request is served`, async () => {
    const { server } = suite;
    const host = `greedy${path.slice(1)}`;
    const { id } = await server.deploy(host, GREEDY, { limits: { memoryMb: 200 } });
    await server.deploy("modest", GREEDY);
    const [before, neighbour, endsBefore] = [await ask(host), await ask("modest"), await ends(reason)];
    const inFlight = Array.from({ length: IN_FLIGHT }, () => ask(host, "/hang"));
    await until("they are in flight", async () => (await server.isolate(id))?.inFlight === IN_FLIGHT);
    const answers = Promise.all([ask(host, path), ...inFlight]);
    assert.deepEqual(await ask("modest"), neighbour);
    for (const answer of await answers) assert.deepEqual(answer, { code });

    const after = await ask(host);
    assert.match(after.text!, /^[0-9a-f-]{36}$/);
    assert.notEqual(after.text, before.text);
    assert.deepEqual(await ask("modest"), neighbour);
    await until(
      "it is in the log",
      async () => {
        const lines = (await server.appLogs(id)).map(({ message }) => message);
        return lines.some((line) =>
          line.startsWith(`The isolate was ended: ${code} (`) && cause.test(line) &&
          line.endsWith(`, ${IN_FLIGHT + 2} requests)`)
        );
      },
      30_000,
      () => server.output,
    );
    assert.ok(await ends(reason) > endsBefore);
  });
}

Deno.test("a program that uses too much memory before it serves is a failed deployment that says so", async () => {
  const { server } = suite;
  const { id, status } = await server.build(
    "hungry",
    "const kept = []; for (;;) kept.push(new Uint8Array(8 * 1024 ** 2).fill(1));",
  );
  assert.equal(status, "failed");
  const log = (await server.buildLog(id)).map(({ message }) => message).join("\n");
  assert.match(log, /MEMORY_LIMIT/);
});

Deno.test("a deployment that is ended again and again is answered at once, with the time to retry", async () => {
  const { server } = suite;
  await server.deploy("stubborn", GREEDY, { limits: { cpuBlockMs: 100 } });
  for (let i = 0; i < 6; i++) assert.deepEqual(await ask("stubborn", "/loop"), { code: "TIME_LIMIT" });
  assert.deepEqual(await ask("stubborn"), { code: "TIME_LIMIT", retryAfterS: 1 });
  await until("it is started again", async () => (await ask("stubborn")).text !== undefined);
});
