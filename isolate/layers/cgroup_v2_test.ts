import assert from "node:assert/strict";
import { dirname } from "node:path";
import { delegatedDir, systemdUnit, takeDelegatedGroup } from "./cgroup_delegation.ts";
import { findCgroupPlaces } from "./cgroup_places.ts";
import { CgroupV2 } from "./cgroup_v2.ts";
import { SandboxGroup } from "./sandbox_group.ts";
import { exists, processesIn, spawnIn, until } from "./testing/group_trial.ts";

const ALL = ["memory", "cpu", "pids"] as const;

/** A directory that looks like a group: its files with what is in them. */
async function fakeGroup(files: Record<string, string>): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await Deno.makeTempDir({ prefix: "isola-cgroup-" });
  for (const [name, text] of Object.entries(files)) {
    const path = `${dir}/${name}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

function named(names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, ""]));
}

async function read(path: string): Promise<string> {
  return (await Deno.readTextFile(path)).trim();
}

Deno.test("v2: a server's group hands every controller on, and weighs less than the server", async () => {
  await using fake = await fakeGroup(named(["isola/cgroup.subtree_control", "isola/cpu.weight"]));
  await new CgroupV2(fake.dir, ALL).prepareServer("isola");
  assert.equal(await read(`${fake.dir}/isola/cgroup.subtree_control`), "+memory +cpu +pids");
  assert.equal(await read(`${fake.dir}/isola/cpu.weight`), "50");
});

Deno.test("v2: a sandbox's group is limited, and ends as a whole without memory", async () => {
  const names = ["pids.max", "cpu.max", "memory.max", "memory.swap.max", "memory.oom.group"];
  await using fake = await fakeGroup(named(names.map((name) => `isola/a/${name}`)));
  const dialect = new CgroupV2(fake.dir, ALL);
  await dialect.prepareSandbox("isola/a", { maxProcesses: 64, cpuPercent: 150 });
  await dialect.limitMemory("isola/a", 1_000_000);
  const values = await Promise.all(names.map((name) => read(`${fake.dir}/isola/a/${name}`)));
  assert.deepEqual(values, ["64", "150000 100000", "1000000", "0", "1"]);
});

Deno.test("v2: a kernel without swap has no bound on it, and none is made up", async () => {
  await using fake = await fakeGroup(named(["a/memory.oom.group"]));
  await new CgroupV2(fake.dir, ["memory"]).prepareSandbox("a", { maxProcesses: 64, cpuPercent: 100 });
  assert.ok(!await exists(`${fake.dir}/a/memory.swap.max`));
});

Deno.test("v2: what was used, page cache apart but for tmpfs", async () => {
  await using fake = await fakeGroup({
    "a/cpu.stat": "usage_usec 1234567\nuser_usec 1000000\nthrottled_usec 2500\n",
    "a/memory.current": "90000000\n",
    "a/memory.stat": "anon 20000000\nfile 60000000\nkernel 10000000\nshmem 5000000\nfile_mapped 7\n",
    "a/memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 1\n",
  });
  assert.deepEqual(new CgroupV2(fake.dir, ALL).usage("a"), {
    cpuMs: 1234.567,
    throttledMs: 2.5,
    memoryBytes: 35_000_000,
    oomKills: 1,
  });
});

Deno.test("v2: CPU time is counted without a controller, and nothing is set", async () => {
  await using fake = await fakeGroup({ "a/cpu.stat": "usage_usec 5000\n", "a/cgroup.subtree_control": "" });
  const dialect = new CgroupV2(fake.dir, []);
  await dialect.prepareServer("a");
  await dialect.prepareSandbox("a", { maxProcesses: 64, cpuPercent: 100 });
  await dialect.limitMemory("a", 1);
  assert.deepEqual(dialect.usage("a"), { cpuMs: 5 });
});

Deno.test("v2: the unit of a group, and whose systemd it is", () => {
  const session = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope";
  const table: [string, ReturnType<typeof systemdUnit>][] = [
    ["/system.slice/isola.service", { name: "isola.service", ofUser: false }],
    ["/system.slice/isola.service/isola-server", { name: "isola.service", ofUser: false }],
    ["/user.slice/user-1000.slice/session-3.scope", { name: "session-3.scope", ofUser: false }],
    [session, { name: "run-r1.scope", ofUser: true }],
    ["/user.slice/user-1000.slice/user@1000.service", { name: "user@1000.service", ofUser: false }],
    ["/", undefined],
    ["/init.slice", undefined],
  ];
  for (const [path, unit] of table) assert.deepEqual(systemdUnit(path), unit, path);
});

Deno.test("v2: a server in the leaf that another made works below the same group", () => {
  assert.equal(delegatedDir({ dir: "/c/isola.service/isola-server", path: "" }), "/c/isola.service");
  assert.equal(delegatedDir({ dir: "/c/isola.service", path: "" }), "/c/isola.service");
});

const withoutSystemd = !await exists("/run/systemd/system");

Deno.test({
  name: "v2: the server moves to a leaf before its group hands controllers on",
  ignore: !withoutSystemd,
  fn: async () => {
    await using fake = await fakeGroup({
      "cgroup.type": "domain\n",
      "cgroup.procs": `${Deno.ppid}\n${Deno.pid}\n`,
      "cgroup.subtree_control": "",
      "isola-server/cgroup.procs": "",
    });
    assert.equal(await takeDelegatedGroup({ dir: fake.dir, path: "/" }, ALL), fake.dir);
    assert.equal(await read(`${fake.dir}/isola-server/cgroup.procs`), `${Deno.pid}`);
    assert.equal(await read(`${fake.dir}/cgroup.subtree_control`), "+memory +cpu +pids");
  },
});

Deno.test({
  name: "v2: in the root nothing has to move",
  ignore: !withoutSystemd,
  fn: async () => {
    await using fake = await fakeGroup({ "cgroup.procs": "1\n2\n", "cgroup.subtree_control": "" });
    assert.equal(await takeDelegatedGroup({ dir: fake.dir, path: "/" }, ALL), fake.dir);
    assert.ok(!await exists(`${fake.dir}/isola-server`));
  },
});

/** Where groups can be made in this machine's v2, though its controllers may be with v1. */
async function realBase(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || !withoutSystemd) return undefined;
  const { v2 } = findCgroupPlaces(
    await Deno.readTextFile("/proc/self/mountinfo"),
    await Deno.readTextFile("/proc/self/cgroup"),
  );
  try {
    if (v2 !== undefined) await Deno.remove(await Deno.makeTempDir({ dir: v2.dir, prefix: "isola-" }));
    return v2?.dir;
  } catch {
    return undefined;
  }
}

const base = await realBase();
if (base === undefined) console.log("Control groups v2 are not tested for real: none can be made here");

async function realGroup(): Promise<{ path: string; dir: string; group: SandboxGroup }> {
  const path = `isola-test-${crypto.randomUUID()}`;
  await Deno.mkdir(`${base}/${path}`);
  return { path, dir: `${base}/${path}`, group: new SandboxGroup(new CgroupV2(base!, []), path) };
}

Deno.test({
  name: "v2: a real group is joined, counts CPU time, is killed at once, and removed",
  ignore: base === undefined,
  fn: async () => {
    const { dir, group } = await realGroup();
    const child = spawnIn(group, "/bin/sh", ["-c", "sleep 1000 & while :; do :; done"]);
    await until("it burns", () => group.usage().cpuMs! > 50);
    assert.ok((await processesIn(dir)).includes(child.pid));
    await group.kill();
    assert.equal((await child.status).signal, "SIGKILL");
    assert.ok((await group.remove()).cpuMs! > 50);
    assert.ok(!await exists(dir));
  },
});

Deno.test({
  name: "v2: a real server moves to its leaf with its children, and not where a stranger is",
  ignore: base === undefined,
  fn: async () => {
    const { dir, path, group } = await realGroup();
    const module = new URL("./cgroup_delegation.ts", import.meta.url).href;
    const code = `
      import { takeDelegatedGroup } from ${JSON.stringify(module)};
      const child = new Deno.Command("/bin/sleep", { args: ["1000"] }).spawn();
      const taken = await takeDelegatedGroup({ dir: ${JSON.stringify(dir)}, path: "/${path}" }, []);
      Deno.exit(taken === ${
      JSON.stringify(dir)
    } ? 42 : /holds process \\d+ \\("sleep"\\)/.test(taken.unavailable) ? 43 : 1);
    `;
    const server = () => spawnIn(group, Deno.execPath(), ["eval", "--no-config", "--no-lock", code]).status;
    try {
      assert.equal((await server()).code, 42);
      assert.equal((await processesIn(`${dir}/isola-server`)).length, 1);
      await group.kill();
      const stranger = spawnIn(group, "/bin/sleep", ["1000"]);
      await until("the stranger is there", async () => (await processesIn(dir)).includes(stranger.pid));
      assert.equal((await server()).code, 43);
      await group.kill();
      await stranger.status;
    } finally {
      await group.kill();
      await group.remove();
    }
  },
});
