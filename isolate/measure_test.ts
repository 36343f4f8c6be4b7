import assert from "node:assert/strict";
import { cpuUsage } from "node:process";
import {
  dataBytes,
  firstChild,
  measureProcess,
  measureThread,
  runDelayMs,
  workerThreads,
} from "./measure.ts";
import { readProcessStat } from "./process_stat.ts";
import { until } from "./layers/testing/group_trial.ts";

const GONE_PID = 2 ** 22 + 1; // Above every pid of Linux.
const MIB = 1024 ** 2;

/** A process that ends with the test. */
function start(path: string, args: string[]): { pid: number } & AsyncDisposable {
  const child = new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

function test(name: string, fn: () => Promise<void> | void) {
  Deno.test({ name, ignore: Deno.build.os !== "linux", fn });
}

test("a process's CPU time is what it says of itself", () => {
  const ownMs = () => (({ user, system }) => (user + system) / 1000)(cpuUsage());
  const before = { ownMs: ownMs(), ...measureProcess(Deno.pid) };
  while (ownMs() - before.ownMs < 400);
  const usedMs = measureProcess(Deno.pid).cpuMs - before.cpuMs;
  assert.ok(usedMs > 360 && usedMs < 440, `${usedMs} ms`);
});

test("a process's memory is what it says of itself", () => {
  const before = measureProcess(Deno.pid).memoryBytes;
  const held = new Uint8Array(64 * MIB).fill(1);
  const { memoryBytes } = measureProcess(Deno.pid);
  assert.ok(Math.abs(memoryBytes - Deno.memoryUsage().rss) < 8 * MIB);
  assert.ok(memoryBytes - before > 56 * MIB, `${held.length} bytes, grown by ${memoryBytes - before}`);
});

test("a process's data is what RLIMIT_DATA bounds: memory that is only reserved counts too", () => {
  const before = dataBytes(Deno.pid);
  const reserved = new ArrayBuffer(1024 * MIB);
  // Of what was there before, the collector may have given some back.
  const grownBytes = dataBytes(Deno.pid) - before;
  assert.ok(grownBytes > 992 * MIB, `${reserved.byteLength} bytes, grown by ${grownBytes}`);
});

test("a process that is gone counts as nothing", () => {
  assert.deepEqual(measureProcess(GONE_PID), { cpuMs: 0, memoryBytes: 0, sharedBytes: 0 });
  assert.equal(runDelayMs(GONE_PID), 0);
  assert.equal(firstChild(GONE_PID), undefined);
  assert.equal(dataBytes(GONE_PID), 0);
  assert.equal(measureThread(GONE_PID, "1"), undefined);
  assert.equal(workerThreads(GONE_PID).size, 0);
});

test("a Web Worker's thread is known by its number, and its CPU time is its own", async () => {
  const before = workerThreads(Deno.pid);
  const code =
    "const end = performance.now() + 200; while (performance.now() < end); postMessage(0); onmessage = () => {}";
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
  const [thread] = [...workerThreads(Deno.pid)].filter(([number]) => !before.has(number));
  assert.ok(thread![0] > Math.max(0, ...before.keys()));
  await new Promise((resolve) => worker.onmessage = resolve);
  const { cpuMs } = measureThread(Deno.pid, thread![1])!;
  // Of 200 ms and its start, on a loaded machine.
  assert.ok(cpuMs > 40 && cpuMs < 500, `${cpuMs} ms`);
  worker.terminate();
  await until("the thread is gone", () => measureThread(Deno.pid, thread![1]) === undefined);
});

test("a process is read right whatever it is called", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/a) S 1 (b`;
    await Deno.copyFile("/bin/sh", path);
    await using child = start(path, ["-c", "while :; do :; done"]);
    await until("it has burnt 50 ms", () => measureProcess(child.pid).cpuMs >= 50);
    const { name, parentPid } = readProcessStat(child.pid)!;
    assert.deepEqual({ name, parentPid }, { name: "a) S 1 (b", parentPid: Deno.pid });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

test("the first child of a process is found", async () => {
  await using parent = start("/bin/sh", ["-c", "sleep 1000 & exec sleep 1000"]);
  await until("it has a child", () => firstChild(parent.pid) !== undefined);
  const child = firstChild(parent.pid)!;
  assert.equal(readProcessStat(child)?.parentPid, parent.pid);
  Deno.kill(child, "SIGKILL");
});

test("an event loop that always wants to run either does or waits for a core", async () => {
  const busyWorker = `
    const code = URL.createObjectURL(new Blob(["for (;;);"]));
    new Worker(code, { type: "module" });
  `;
  const loop = ["eval", "--no-config", "--no-lock"];
  await using starved = start(Deno.execPath(), [...loop, busyWorker]);
  await until("its worker is busy", () => measureProcess(starved.pid).cpuMs > 300);
  const before = {
    timeMs: performance.now(),
    delayMs: runDelayMs(starved.pid),
    ...measureProcess(starved.pid),
  };
  const share = () => {
    const passedMs = performance.now() - before.timeMs;
    return (measureProcess(starved.pid).cpuMs - before.cpuMs + runDelayMs(starved.pid) - before.delayMs) /
      passedMs;
  };
  // More of them than there are cores.
  await using others = new AsyncDisposableStack();
  for (let core = 0; core <= navigator.hardwareConcurrency; core++) {
    others.use(start("/bin/sh", ["-c", "while :; do :; done"]));
  }
  await until("it has waited for 300 ms", () => runDelayMs(starved.pid) - before.delayMs > 300);
  assert.ok(share() > 0.8 && share() < 1.2, `${share()}`);
});
