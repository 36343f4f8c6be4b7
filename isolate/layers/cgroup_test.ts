import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { measureProcess } from "../measure.ts";
import { readProcessStat } from "../process_stat.ts";
import { openCgroups } from "./cgroup.ts";
import { dirsOf, exists, GroupTrial, processesIn, until, whyNoCgroups } from "./testing/group_trial.ts";

const MIB = 1024 ** 2;
const why = await whyNoCgroups();
if (why !== undefined) console.log(`Control groups are not tested for real: ${why}`);

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name: `control groups: ${name}`, ignore: why !== undefined, fn });
}

function lives(pid: number): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && !/[ZX]/.test(stat.state);
}

test("a command joins every hierarchy before it runs, as the same process with nothing added to its environment", async () => {
  await using trial = await GroupTrial.start();
  const child = trial.shell("exec sleep 1000");
  await until("it sleeps", () => readProcessStat(child.pid)?.name === "sleep");
  for (const dir of dirsOf(trial.group)) assert.deepEqual(await processesIn(dir), [child.pid]);
  const environment = await Deno.readTextFile(`/proc/${child.pid}/environ`);
  const names = environment.split("\0").map((entry) => entry.split("=", 1)[0]!).filter(Boolean);
  // The script is run by a shell itself, which may set these.
  assert.deepEqual(names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name)), ["PATH"]);
});

test("a command that cannot join does not run", async () => {
  await using trial = await GroupTrial.start();
  await trial.group.remove();
  const { code } = await trial.shell("exit 0").status;
  assert.equal(code, 125);
});

test("a loop gets its share of a core and no more", async () => {
  await using trial = await GroupTrial.start({ cpuPercent: 10 });
  trial.shell("while :; do :; done");
  await until("it runs", () => trial.group.usage().cpuMs! > 20);
  const before = { timeMs: performance.now(), ...trial.group.usage() };
  await until("it has used 200 ms more", () => trial.group.usage().cpuMs! - before.cpuMs! > 200);
  const passedMs = performance.now() - before.timeMs;
  assert.ok(passedMs > 1_700, `200 ms of CPU in ${passedMs}ms`);
  assert.ok(trial.group.usage().throttledMs! > before.throttledMs!);
});

test("a memory bomb dies, and the kernel says why", async () => {
  await using trial = await GroupTrial.start();
  await trial.group.limitMemory(48 * MIB);
  // It keeps the last line.
  const { signal } = await trial.shell("exec tail /dev/zero").status;
  assert.equal(signal, "SIGKILL");
  assert.equal(trial.group.usage().oomKills, 1);
});

test("memory that is held counts, and files on tmpfs do", async () => {
  await using trial = await GroupTrial.start();
  const path = `/dev/shm/isola-${crypto.randomUUID()}`;
  trial.shell(
    `head -c ${24 * MIB} /dev/zero >${path}; x=$(head -c ${12 * MIB} /dev/zero | tr '\\0' a); sleep 1000`,
  );
  try {
    await until("both are held", () => trial.group.usage().memoryBytes! > 36 * MIB);
  } finally {
    await Deno.remove(path);
  }
});

test("a limit below what is in use is refused by v1 and kills under v2, and in neither case waits", async () => {
  await using trial = await GroupTrial.start();
  const child = trial.shell(`x=$(head -c ${24 * MIB} /dev/zero | tr '\\0' a); sleep 1000`);
  await until("it holds memory", () => trial.group.usage().memoryBytes! > 24 * MIB);
  if (trial.groups.version === 1) {
    await assert.rejects(trial.group.limitMemory(MIB), { name: "RangeError", message: /more is in use/ });
    assert.ok(lives(child.pid));
    await trial.group.limitMemory(512 * MIB);
  } else {
    await trial.group.limitMemory(MIB);
    assert.equal((await child.status).signal, "SIGKILL");
  }
});

test("a limit can be raised and lowered again", async () => {
  await using trial = await GroupTrial.start();
  for (const limitMib of [32, 64, 16]) await trial.group.limitMemory(limitMib * MIB);
  await assert.rejects(trial.group.limitMemory(0), RangeError);
});

test("threads count as processes, and past their number no more are made", async () => {
  const maxProcesses = 24;
  await using trial = await GroupTrial.start({ maxProcesses });
  const child = trial.deno(`
    const code = URL.createObjectURL(new Blob(["setInterval(() => {}, 1000)"]));
    for (let made = 0; made < ${2 * maxProcesses}; made++) {
      try {
        new Worker(code, { type: "module" });
      } catch {
        Deno.exit(made > 0 && made < ${maxProcesses} ? 42 : 1);
      }
    }
  `);
  assert.equal((await child.status).code, 42);
});

test("kill ends a tree of forks, with sessions of their own", async () => {
  await using trial = await GroupTrial.start();
  trial.shell("setsid sh -c 'sleep 1000 & sleep 1000' & (trap '' TERM HUP; sleep 1000 & sleep 1000) & wait");
  const [dir = ""] = dirsOf(trial.group);
  await until("all sleep", async () => {
    const names = (await processesIn(dir)).map((pid) => readProcessStat(pid)?.name);
    return names.filter((name) => name === "sleep").length === 4;
  });
  const pids = await processesIn(dir);
  await trial.group.kill();
  assert.deepEqual(pids.filter(lives), []);
  assert.deepEqual(await processesIn(dir), []);
});

test("kill ends processes that fork all the time", async () => {
  await using trial = await GroupTrial.start();
  trial.shell("for i in 1 2 3 4 5 6 7 8; do (while :; do (/bin/true); done) & done; wait");
  const [dir = ""] = dirsOf(trial.group);
  await until("they fork", async () => (await processesIn(dir)).length > 8);
  await trial.group.kill();
  assert.deepEqual(await processesIn(dir), []);
});

test("remove leaves no directory, answers what was used, and may be repeated", async () => {
  await using trial = await GroupTrial.start();
  const child = trial.shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
  await child.status;
  const used = await trial.group.remove();
  assert.ok(used.cpuMs! > 10, `${used.cpuMs} ms`);
  for (const dir of dirsOf(trial.group)) assert.ok(!await exists(dir), dir);
  assert.deepEqual(await trial.group.remove(), used);
  assert.deepEqual(trial.group.usage(), used);
});

test("a removal waits for a process that is being killed", async () => {
  await using trial = await GroupTrial.start();
  const child = trial.shell("sleep 1000");
  const [dir = ""] = dirsOf(trial.group);
  await until("it is in the group", async () => (await processesIn(dir)).includes(child.pid));
  const removal = trial.group.remove();
  await trial.group.kill();
  await removal;
  assert.ok(!await exists(dir));
});

test("CPU time is that of the process, threads of the runtime included", async () => {
  await using trial = await GroupTrial.start();
  const child = trial.deno(`
    const key = await crypto.subtle.importKey("raw", new Uint8Array(16), "PBKDF2", false, ["deriveBits"]);
    const algorithm = { name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(16), iterations: 20_000 };
    for (;;) await Promise.all([1, 2].map(() => crypto.subtle.deriveBits(algorithm, key, 256)));
  `);
  await until("it has burnt 2 s", () => trial.group.usage().cpuMs! > 2_000);
  const used = trial.group.usage().cpuMs!;
  const { cpuMs } = measureProcess(child.pid);
  assert.ok(Math.abs(cpuMs - used) < 0.05 * used, `group ${used} ms, process ${cpuMs} ms`);
});

test("what a killed server left is ended and removed by the next, and what a live one has is not", async () => {
  await using trial = await GroupTrial.start();
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(new URL("./testing/cgroup_server.ts", import.meta.url))],
    stdout: "piped",
  }).spawn();
  const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  const { dirs, pid }: { dirs: string[]; pid: number } = JSON.parse(value);
  await until("its sandbox is in its group", async () => (await processesIn(dirs.at(-1)!)).includes(pid));
  server.kill("SIGKILL");
  await server.status;
  await reader.cancel();
  assert.ok(lives(pid));

  const next = await openCgroups({ name: crypto.randomUUID(), maxProcesses: 64, cpuPercent: 100 });
  assert.ok(!("unavailable" in next));
  await using _next = next;
  assert.ok(!lives(pid));
  for (const dir of dirs) assert.ok(!await exists(dir), dir);
  for (const dir of dirsOf(trial.group)) assert.ok(await exists(dir), dir);
});

test("a server's name is its own, and a second of that name leaves the first alone", async () => {
  const options = { name: crypto.randomUUID(), maxProcesses: 64, cpuPercent: 100 };
  const groups = await openCgroups(options);
  assert.ok(!("unavailable" in groups));
  await using _groups = groups;
  const group = await groups.create("one");
  await assert.rejects(openCgroups(options), Deno.errors.AlreadyExists);
  await assert.rejects(groups.create("one"), Deno.errors.AlreadyExists);
  for (const dir of dirsOf(group)) assert.ok(await exists(dir), dir);
});

Deno.test("control groups: names and limits that cannot be are refused", async () => {
  const good = { name: "a", maxProcesses: 64, cpuPercent: 100 };
  const bad = [{ name: "../a" }, { name: "" }, { maxProcesses: 0 }, { cpuPercent: 0.5 }, { cpuPercent: -1 }];
  for (const change of bad) await assert.rejects(openCgroups({ ...good, ...change }), RangeError);
});
