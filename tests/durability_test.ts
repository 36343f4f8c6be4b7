import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { SeededRandom } from "./seeded_random.ts";
import { isRunning } from "./processes.ts";
import { startTestServer, type TestServer, until } from "./server.ts";

const ROUNDS = 5;
/** A failing round can be had again. */
const SEED = 20261121;

Deno.test("What was acknowledged is there after kill -9 at any moment, and half a deployment is not", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-durable-" });
  const random = new SeededRandom(SEED);
  const acknowledged = new Map<string, string>();
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const server = await startTestServer({ dataDir });
      try {
        await checkAll(server, acknowledged);
        const killed = killAfter(server, random.below(1200));
        await deployUntilKilled(server, round, acknowledged);
        await killed;
      } finally {
        await server[Symbol.asyncDispose]();
      }
    }
    await using server = await startTestServer({ dataDir });
    await checkAll(server, acknowledged);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Every deployment that was reported as live answers with its own text; those that were cut off are built to an end. */
async function checkAll(server: TestServer, acknowledged: Map<string, string>) {
  for (const [id, text] of acknowledged) {
    const deployment = await server.api("GET", `/v1/deployments/${id}`);
    assert.equal(deployment.status, "success");
    assert.equal(await server.text(deployment.domains[0]!), text);
  }
  const project = await server.project("durable");
  for (
    const { id } of await server.api<{ id: string }[]>("GET", `/v1/projects/${project}/deployments?limit=100`)
  ) {
    assert.equal((await server.built(id)).status, "success");
  }
}

async function killAfter(server: TestServer, delayMs: number) {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  await server.kill("SIGKILL");
}

async function deployUntilKilled(server: TestServer, round: number, acknowledged: Map<string, string>) {
  for (let index = 0;; index++) {
    const text = `round ${round}, deployment ${index}`;
    try {
      const source = `Deno.serve(() => new Response(${JSON.stringify(text)}));`;
      const { id, status } = await server.build("durable", source);
      if (status === "success") acknowledged.set(id, text);
    } catch (error) {
      // The connection broke: the server was killed.
      if (error instanceof TypeError) return;
      throw error;
    }
  }
}

Deno.test("A restart serves old deployments without a build", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-restart-" });
  try {
    const first = await startTestServer({ dataDir });
    const { id } = await first.deploy("restart", "Deno.serve(() => new Response('still here'));").finally(
      () => first.kill("SIGTERM"),
    );
    await first[Symbol.asyncDispose]();
    await using second = await startTestServer({ dataDir });
    const before = await second.buildLog(id);
    assert.equal(await second.text("restart"), "still here");
    assert.deepEqual(await second.buildLog(id), before);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`${signal} leaves no process, socket or directory behind`, async () => {
    await using server = await startTestServer();
    await server.deploy("orphan", "Deno.serve(() => new Response('up'));");
    await server.deploy("busy", "Deno.serve(() => { for (;;); });");
    assert.equal(await server.text("orphan"), "up");
    const stuck = server.fetch("busy").catch(() => null);
    await until("both isolates run", async () => (await server.isolates()).length === 2);
    const pids = (await server.isolates()).map(({ pid }) => pid);
    const [home] = [...Deno.readDirSync(join(server.dataDir, "run"))].map(({ name }) => name);
    const socketsDir = await Deno.readTextFile(join(server.dataDir, "run", home!, ".sockets"));
    assert.equal(basename(socketsDir), home);

    const { code } = await server.kill(signal);
    if (signal !== "SIGKILL") assert.equal(code, 0);
    await (await stuck)?.body?.cancel();

    await until("the isolates' processes are gone", () => pids.every((pid) => !isRunning(pid)));
    await until(
      "the directories are gone",
      () => !exists(socketsDir) && !exists(join(server.dataDir, "run", home!)),
    );
  });
}

Deno.test("What a server that was killed together with its janitor left behind is removed at the next start", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-swept-" });
  {
    await using server = await startTestServer({ dataDir });
    await server.deploy("swept", "Deno.serve(() => new Response('up'));");
    assert.equal(await server.text("swept"), "up");
    const children = await Deno.readTextFile(`/proc/${server.pid}/task/${server.pid}/children`);
    const janitor = children.trim().split(" ").find((pid) => {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("/bin/sh\0-c\0trap");
    });
    assert(janitor, children);
    Deno.kill(Number(janitor), "SIGKILL");
    await server.kill("SIGKILL");
  }
  const [home] = [...Deno.readDirSync(join(dataDir, "run"))].map(({ name }) => name);
  const socketsDir = await Deno.readTextFile(join(dataDir, "run", home!, ".sockets"));
  assert(exists(socketsDir));
  {
    await using server = await startTestServer({ dataDir });
    assert(!exists(socketsDir) && !exists(join(dataDir, "run", home!)));
    assert.equal(await server.text("swept"), "up");
  }
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("A second server on the same data directory is refused", async () => {
  await using server = await startTestServer();
  await assert.rejects(
    startTestServer({ dataDir: server.dataDir }),
    /another server holds it/,
  );
});

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
