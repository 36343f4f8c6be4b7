import assert from "node:assert/strict";
import type { SandboxLevel } from "../../isolate/enclosure.ts";
import { type Attack, isRefused, openAttackProgram, type Outcomes } from "./attack.ts";
import { LEVELS } from "./levels.ts";
import {
  EARLY_NATIVE_ATTACKS,
  NATIVE,
  NATIVE_ATTACKS,
  REFUSED_CALL,
  SYSCALL_ATTACKS,
} from "./native_attacks.ts";
import { ADDRESS_ATTACKS, ALLOWED_ATTACKS, NETWORK, NETWORK_ATTACKS } from "./network_attacks.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { openTargets } from "./targets.ts";
import { EARLY_ATTACKS, TENANT, TENANT_ATTACKS } from "./tenant_attacks.ts";

/** Runs a test on a stage, whose neighbour and targets are then as they were. */
async function withStage(options: StageOptions, run: (stage: Stage) => Promise<void>) {
  await using stage = await Stage.open(options);
  const { pid } = stage.victim;
  await run(stage);
  assert.equal(await stage.askVictim(), stage.targets.secret);
  assert.equal(stage.victim.pid, pid);
}

/** Nothing was got that the level does not leave open. */
function assertRefused(attacks: readonly Attack[], outcomes: Outcomes, level: SandboxLevel, context = "") {
  const got = attacks.filter(({ name, open }) => !isRefused(outcomes[name]!) && !open.includes(level));
  assert.deepEqual(got.map(({ name }) => `${context}${name}: ${outcomes[name]}`), []);
}

for (const level of LEVELS) {
  Deno.test(`this machine has level "${level}", with all of its layers`, async () => {
    await withStage({ level }, ({ home }) => {
      assert.equal(home.layers.level, level, home.layers.missing.join(". "));
      for (const layer of LAYERS[level]) assert.ok(home.layers.detail.includes(layer), home.layers.detail);
      return Promise.resolve();
    });
  });

  Deno.test(`at level "${level}" a tenant gets nothing through the runtime`, () =>
    withStage({ level }, async (stage) => {
      assertRefused(TENANT_ATTACKS, await stage.attack(TENANT_ATTACKS, { prelude: TENANT }), level);
    }));

  Deno.test(`at level "${level}" a tenant gets nothing before it serves either`, () =>
    withStage({ level }, async (stage) => {
      assertRefused(EARLY_ATTACKS, await stage.attackEarly(EARLY_ATTACKS, { prelude: TENANT }), level);
    }));

  Deno.test(`at level "${level}" a tenant reaches no private address, by no client and in no spelling`, () =>
    withStage({ level }, async (stage) => {
      for (const [client, attacks] of Object.entries(ADDRESS_ATTACKS)) {
        assertRefused(attacks, await stage.attack(attacks, { prelude: NETWORK }), level, `${client} to `);
      }
      assert.equal(stage.targets.reached, 0);
      assertRefused(NETWORK_ATTACKS, await stage.attack(NETWORK_ATTACKS, { prelude: NETWORK }), level);
    }));

  Deno.test({
    name:
      `at level "${level}" native code in a tenant's process gets nothing that the level promises to keep`,
    // There nothing but a user of its own is between native code and its keeper.
    ignore: level === "process" && Deno.uid() !== 0,
    fn: () =>
      withStage({ level }, async (stage) => {
        const options = { prelude: NATIVE, possessed: true };
        assertRefused(NATIVE_ATTACKS, await stage.attack(NATIVE_ATTACKS, options), level);
      }),
  });

  Deno.test({
    name: `at level "${level}" native code gets nothing before the tenant serves either`,
    ignore: level === "process" && Deno.uid() !== 0,
    fn: () =>
      withStage({ level }, async (stage) => {
        const options = { prelude: NATIVE, possessed: true };
        assertRefused(EARLY_NATIVE_ATTACKS, await stage.attackEarly(EARLY_NATIVE_ATTACKS, options), level);
      }),
  });

  Deno.test(`at level "${level}" the kernel refuses native code each system call of the table`, () =>
    withStage({ level }, async (stage) => {
      const outcomes = await stage.attack(SYSCALL_ATTACKS, { prelude: NATIVE, possessed: true });
      for (const { name } of SYSCALL_ATTACKS) assert.match(outcomes[name]!, REFUSED_CALL, name);
    }));
}

/** What has to be there, as `isola status` shows it. */
const LAYERS: Record<SandboxLevel, string[]> = {
  full: ["Deno permissions", "rlimits", "seccomp", "namespaces", "no network but the egress proxy"],
  landlock: ["Deno permissions", "rlimits", "seccomp", "Landlock", "no network but the egress proxy"],
  process: ["Deno permissions", "rlimits", "seccomp"],
};

Deno.test("with Deno's permissions alone a tenant gets nothing through the runtime", async () => {
  await using stage = await Stage.open({ level: "none" });
  const attacks = TENANT_ATTACKS.filter(({ name }) => name !== "learn the machine's name");
  assertRefused(attacks, await stage.attack(attacks, { prelude: TENANT }), "process");
  assert.equal(await stage.askVictim(), stage.targets.secret);
});

Deno.test("what an operator allows is reached, by every client", () =>
  withStage({ level: "full", allowPrivate: ["localhost", "127.0.0.1"] }, async (stage) => {
    let expected = 0;
    for (const [client, attacks] of Object.entries(ALLOWED_ATTACKS)) {
      const outcomes = await stage.attack(attacks, { prelude: NETWORK });
      // Its certificate would not do, which it finds out from whoever it reached.
      if (/TLS|Tls|tls|https/.test(client)) continue;
      expected += client === "Deno.connect" || client === "node:net" || client === "node:http2"
        ? 0
        : attacks.length;
      for (const { name } of attacks) {
        assert.match(outcomes[name]!, /^got |Invalid status code: 200/, `${client} to ${name}`);
      }
    }
    assert.ok(stage.targets.reached >= expected, `${stage.targets.reached} of ${expected}`);
  }));

/** Those that leave everything as it is, and need no sandbox around them. */
const HARMLESS =
  /^(read (the users|a file(?! that root)|a private)|import a file|connect to an? |learn |list the root|start |load a l|make a pointer)/;

Deno.test("where nothing stands in the way, the attacks get what they want", async () => {
  await using targets = await openTargets();
  const dir = targets.knowledge.dir as string;
  for (const [prelude, attacks] of [[NATIVE, NATIVE_ATTACKS], [TENANT, TENANT_ATTACKS]] as const) {
    const harmless = attacks.filter(({ name }) => HARMLESS.test(name) && !name.includes("secrets"));
    await Deno.writeTextFile(`${dir}/main.js`, openAttackProgram(harmless, prelude));
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", "--no-lock", "--unstable-raw-imports", `${dir}/main.js`],
      env: { TARGETS: JSON.stringify({ ...targets.knowledge, app: dir }), NO_COLOR: "1" },
    }).output();
    assert.ok(stdout.length > 0, new TextDecoder().decode(stderr));
    const outcomes: Outcomes = JSON.parse(new TextDecoder().decode(stdout));
    const refused = Object.entries(outcomes).filter(([, outcome]) => !outcome.startsWith("got "));
    assert.deepEqual(refused, []);
    assert.ok(Object.keys(outcomes).length > 5);
  }
});
