import assert from "node:assert/strict";
import { startTestServer, type TestServer } from "../server.ts";
import { attackProgram, earlyAttackProgram, isRefused, type Outcomes } from "./attack.ts";
import { NETWORK, NETWORK_ATTACKS } from "./network_attacks.ts";
import { openTargets, type Targets } from "./targets.ts";
import { EARLY_ATTACKS, TENANT, TENANT_ATTACKS } from "./tenant_attacks.ts";

let server: TestServer;
let targets: Targets;
let knowledge: Record<string, unknown>;
const SECRET = "do-not-leak-b0d4";

Deno.test.beforeAll(async () => {
  server = await startTestServer();
  targets = await openTargets();
  const { id } = await server.deploy(
    "victim",
    `console.log("${SECRET}"); Deno.serve(() => new Response("${SECRET}"));`,
    { envVars: { SECRET } },
  );
  assert.equal(await server.text("victim"), SECRET);
  const [run] = [...Deno.readDirSync(`${server.dataDir}/run`)].map(({ name }) => name);
  const programsDir = `${server.dataDir}/run/${run}`;
  const socketsDir = Deno.readTextFileSync(`${programsDir}/.sockets`);
  const victim = [...Deno.readDirSync(programsDir)].find(({ isDirectory }) => isDirectory)!.name;
  knowledge = {
    ...targets.knowledge,
    serverPid: server.pid,
    victimPid: (await server.isolate(id))!.pid,
    victimSockets: `${socketsDir}/${victim}`,
    victimApp: `${programsDir}/${victim}/app`,
    socketsDir,
    programsDir,
    // As a sandbox of level full sees its own places.
    app: "/app",
    boot: "/boot",
    sockets: "/run",
  };
});
Deno.test.afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await targets?.[Symbol.asyncDispose]();
});

/** Deploys a program of attacks. */
async function deployAttacks(name: string, code: string, more: Record<string, unknown> = {}) {
  await server.deploy(name, { "main.js": code }, {
    entryPointUrl: "main.js",
    envVars: { TARGETS: JSON.stringify({ ...knowledge, ...more }) },
  });
}

function assertRefused(outcomes: Outcomes) {
  const got = Object.entries(outcomes).filter(([, outcome]) => !isRefused(outcome));
  assert.deepEqual(got, []);
}

async function assertVictimLives() {
  assert.equal(await server.text("victim"), SECRET);
  const isolates = await server.isolates();
  assert.ok(isolates.some(({ pid }) => pid === knowledge.victimPid), "the neighbour was started again");
}

Deno.test("the server runs deployments at level full", () => {
  assert.match(server.output, /sandbox\s+full/i);
});

Deno.test("a deployment gets nothing through the runtime", async () => {
  await deployAttacks("attacker", attackProgram(TENANT_ATTACKS, TENANT));
  const outcomes: Outcomes = {};
  for (const { name } of TENANT_ATTACKS) {
    outcomes[name] = await server.text("attacker", `/${encodeURIComponent(name)}`);
  }
  assertRefused(outcomes);
  await assertVictimLives();
});

Deno.test("a deployment gets nothing before it serves either", async () => {
  await deployAttacks("early-attacker", earlyAttackProgram(EARLY_ATTACKS, TENANT));
  assertRefused(JSON.parse(await server.text("early-attacker")));
  await assertVictimLives();
});

Deno.test("a deployment reaches neither the server's doors nor anything else of the machine", async () => {
  const doors = [server.httpPort, Number(new URL(server.controlUrl).port)];
  for (const port of doors) {
    await deployAttacks("reacher", attackProgram(NETWORK_ATTACKS, NETWORK), { port });
    const outcomes: Outcomes = {};
    for (const { name } of NETWORK_ATTACKS) {
      outcomes[name] = await server.text("reacher", `/${encodeURIComponent(name)}`);
    }
    assertRefused(outcomes);
  }
  assert.equal(targets.reached, 0);
  await assertVictimLives();
});
