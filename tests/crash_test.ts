import assert from "node:assert/strict";
import { openDescriptors } from "./processes.ts";
import { appSource, serverForTests, until } from "./server.ts";

const suite = serverForTests();
const LIFE = appSource("life.ts");

async function ask(host: string, path = "/"): Promise<{ born: string; requests: number }> {
  const response = await suite.server.fetch(host, path);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** Status, code and time of an answer that the data plane gives itself. */
async function refusal(
  host: string,
  path = "/",
): Promise<{ status: number; code: string | null; ms: number }> {
  const startedAt = performance.now();
  const response = await suite.server.fetch(host, path);
  await response.body?.cancel();
  const ms = performance.now() - startedAt;
  return { status: response.status, code: response.headers.get("x-isola-error"), ms };
}

const ENDS: Record<string, { path: string; logged: RegExp }> = {
  "calls Deno.exit": { path: "/exit", logged: /exited with code 3/ },
  "throws an error that nobody catches": {
    path: "/throw",
    logged: /Uncaught Error: nobody catches this\n.*main\.ts:\d+/,
  },
  "rejects a promise that nobody handles": {
    path: "/reject",
    logged: /Uncaught \(in promise\) Error: nobody handles this\n.*main\.ts:\d+/,
  },
};

for (const [name, { path, logged }] of Object.entries(ENDS)) {
  Deno.test(`an app that ${name} fails what is in flight there, harms nobody else, and starts again`, async () => {
    const { server } = suite;
    const host = `ends${path.slice(1)}`;
    const { id } = await server.deploy(host, LIFE);
    await server.deploy("neighbour", LIFE);
    const before = await ask(host);
    const neighbour = await ask("neighbour");
    const other = ask("neighbour", "/sleep?ms=1000");
    const inFlight = [refusal(host, "/hang"), refusal(host, "/hang")];
    await until("they are in flight", async () => (await server.isolate(id))?.inFlight === 2);
    const results = await Promise.all([refusal(host, path), ...inFlight]);
    for (const { status, code } of results) assert.deepEqual([status, code], [502, "ISOLATE_CRASHED"]);

    const after = await ask(host);
    assert.notEqual(after.born, before.born);
    assert.equal(after.requests, 1);
    assert.equal((await other).born, neighbour.born);
    const log = (await server.appLogs(id)).map(({ message }) => message);
    assert(log.some((message) => logged.test(message)), log.join("\n"));
  });
}

Deno.test("an isolate whose process is killed fails what is in flight, also in the middle of a response", async () => {
  const { server } = suite;
  const { id } = await server.deploy("killed", LIFE);
  const { born } = await ask("killed");
  const stream = await server.fetch("killed", "/ticks");
  const reader = stream.body!.getReader();
  await reader.read();
  const inFlight = refusal("killed", "/hang");
  await until("both are in flight", async () => (await server.isolate(id))?.inFlight === 2);
  Deno.kill((await server.isolate(id))!.pid, "SIGKILL");
  const { status, code } = await inFlight;
  assert.deepEqual([status, code], [502, "ISOLATE_CRASHED"]);
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  });
  assert.notEqual((await ask("killed")).born, born);
});

Deno.test("isolates that are killed all the time never make a request wait or hang", async () => {
  const { server } = suite;
  const { id } = await server.deploy("hunted", LIFE);
  let over = false;
  const codes = new Map<string, number>();
  const visitors = Array.from({ length: 4 }, async () => {
    while (!over) {
      const { status, code } = await refusal("hunted", "/sleep?ms=5");
      const key = `${status} ${code}`;
      codes.set(key, (codes.get(key) ?? 0) + 1);
    }
  });
  try {
    for (let kills = 0; kills < 8; kills++) {
      await until("there is an isolate", async () => (await server.isolate(id))?.state === "ready");
      const { pid } = (await server.isolate(id))!;
      Deno.kill(pid, "SIGKILL");
      await until("it is gone", async () => (await server.isolate(id))?.pid !== pid);
    }
  } finally {
    over = true;
    await Promise.all(visitors);
  }
  assert.deepEqual([...codes.keys()].sort(), ["200 null", "502 ISOLATE_CRASHED"]);
  await until("the back-off is over", async () => (await refusal("hunted")).status === 200);
});

Deno.test("isolates that come and go leave no descriptor and no file behind", async () => {
  const { server } = suite;
  // Several, so that none dies so often that it is backed off.
  const hosts = ["comes", "goes", "comes-again", "goes-again"];
  const ids = await Promise.all(hosts.map(async (host) => (await server.deploy(host, LIFE)).id));
  let cycles = 0;
  const cycle = async () => {
    const turn = cycles++ % hosts.length;
    const id = ids[turn]!;
    await ask(hosts[turn]!);
    const { pid } = (await server.isolate(id))!;
    Deno.kill(pid, "SIGKILL");
    await until("it is gone", async () => (await server.isolate(id))?.pid !== pid);
  };
  const [home] = [...Deno.readDirSync(`${server.dataDir}/run`)];
  const count = () => ({
    descriptors: openDescriptors(server.pid),
    programs: [...Deno.readDirSync(`${server.dataDir}/run/${home!.name}`)].length,
  });
  await cycle();
  const before = count();
  for (let i = 0; i < 15; i++) await cycle();
  await until(
    "nothing is left",
    () => count().descriptors <= before.descriptors + 3 && count().programs <= before.programs,
    10_000,
    () => JSON.stringify([before, count()]),
  );
});

Deno.test("a program that does not start any more is backed off, answered at once meanwhile, and starts again", async () => {
  // Long enough for the builds; then it fails for long enough to be seen. The first back-off is 1 s.
  const failsFrom = Date.now() + 6000;
  const envVars = { FAILS_FROM: String(failsFrom), FAILS_UNTIL: String(failsFrom + 2500) };
  const limits = { bootTimeoutMs: 2000 };
  const checks = [
    { host: "throws", code: "BOOT_FAILURE", options: { envVars } },
    {
      host: "waits",
      code: "BOOT_TIMEOUT",
      options: { envVars: { ...envVars, FAILS_BY: "waiting" }, limits },
    },
  ];
  await Promise.all(checks.map(async ({ host, code, options }) => {
    const { id } = await suite.server.deploy(host, LIFE, options);
    await until("it does not start any more", () => Date.now() >= failsFrom);
    await assertBackedOff(host, code, id);
    await until("it starts again", async () => (await refusal(host)).status === 200);
  }));
});

async function assertBackedOff(host: string, code: string, id: string): Promise<void> {
  const { server } = suite;
  const first = await Promise.all(Array.from({ length: 5 }, () => refusal(host)));
  for (const { status, code: got } of first) assert.deepEqual([status, got], [502, code]);
  const startedAt = performance.now();
  const response = await server.fetch(host);
  const ms = performance.now() - startedAt;
  await response.body?.cancel();
  assert.equal(response.headers.get("x-isola-error"), code);
  assert(Number(response.headers.get("retry-after")) >= 1);
  assert(ms < 500, `${ms}ms while backed off`);
  const errors = (await server.appLogs(id)).filter(({ level }) => level === "error");
  assert.equal(errors.length, 1, JSON.stringify(errors));
}

Deno.test("a program that never serves is a failed deployment that says so", async () => {
  const { server } = suite;
  const { id, status } = await server.build("silent", "console.log('I only print');");
  assert.equal(status, "failed");
  const log = (await server.buildLog(id)).map(({ message }) => message).join("\n");
  assert.match(log, /without serving/);
});
