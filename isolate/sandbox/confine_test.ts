import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { seccompFilter } from "../layers/seccomp.ts";
import type { ConfineOptions } from "./confine.ts";

const MAIN = fileURLToPath(import.meta.resolve("./testing/confined_main.ts"));
const LIMITS = { maxOpenFiles: 1000, maxFileBytes: 50 * 1024 ** 2 };
const UID = 1_900_000_123;
/** Above the hard limit of most machines. */
const HUGE = 2 ** 40;
/** A process that nobody ended says so in the end. */
const READY = `
  console.log("ready");
  setTimeout(() => { console.log("forgotten"); Deno.exit(1); }, 30_000);
  await new Promise(() => {});`;

const ignore = Deno.build.os !== "linux";
const ignoreUnlessRoot = ignore || Deno.uid() !== 0;

interface Trial extends Omit<ConfineOptions, "filter" | "maxOpenFiles" | "maxFileBytes"> {
  maxFileBytes?: number;
  maxOpenFiles?: number;
  sockets?: "ipv4" | "tcp4";
}

/** A directory that any user may write, with the seccomp program in it. */
async function makeDirectory(sockets: "ipv4" | "tcp4") {
  const dir = await Deno.makeTempDir({ prefix: "isola-confine-" });
  await Deno.chmod(dir, 0o777);
  const filterPath = `${dir}/filter.bpf`;
  await Deno.writeFile(filterPath, seccompFilter({ arch: Deno.build.arch, stage: 2, sockets }));
  return { dir, filterPath, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

/** A process that confines itself and then runs the body of a function. It finds the directory in `DIR`. */
function command(
  { dir, filterPath }: { dir: string; filterPath: string },
  { sockets: _, ...limits }: Trial,
  body: string,
): Deno.CommandOptions & { args: string[] } {
  return {
    args: ["run", "-A", "--no-lock", MAIN, JSON.stringify({ ...LIMITS, ...limits, filterPath }), body],
    env: { DIR: dir, DENO_DIR: `${dir}/cache`, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    clearEnv: true,
    stdout: "piped",
    stderr: "piped",
  };
}

/** What the body of a function returns in a process that confined itself. */
async function confined(trial: Trial, body: string): Promise<unknown> {
  await using place = await makeDirectory(trial.sockets ?? "ipv4");
  const output = await new Deno.Command(Deno.execPath(), command(place, trial, body)).output();
  const stderr = new TextDecoder().decode(output.stderr);
  assert.equal(output.code, 0, stderr);
  return JSON.parse(new TextDecoder().decode(output.stdout)).result;
}

/** What the kernel says of a process that confined itself. */
async function inspect<T>(trial: Trial, look: (pid: number) => Promise<T>): Promise<T> {
  await using place = await makeDirectory("ipv4");
  const process = new Deno.Command(Deno.execPath(), command(place, trial, READY)).spawn();
  try {
    await untilReady(process.stdout);
    return await look(process.pid);
  } finally {
    process.kill("SIGKILL");
    await Promise.all([process.status, process.stdout.cancel(), process.stderr.cancel()]);
  }
}

async function untilReady(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stdout.values({ preventCancel: true })) {
    text += decoder.decode(chunk, { stream: true });
    if (text.endsWith("ready\n")) return text;
  }
  throw new Error(`The process ended before it was ready: "${text}"`);
}

async function threadFields(pid: number, names: string[]): Promise<Set<string>> {
  const seen = new Set<string>();
  for await (const { name: thread } of Deno.readDir(`/proc/${pid}/task`)) {
    const status = await Deno.readTextFile(`/proc/${pid}/task/${thread}/status`);
    seen.add(
      names.map((name) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, "m").exec(status)![1]).join("; "),
    );
  }
  return seen;
}

Deno.test(
  { name: "no thread of a confined process can gain privileges or escape the filter", ignore },
  async () => {
    const seen = await inspect({}, (pid) => threadFields(pid, ["NoNewPrivs", "Seccomp", "Seccomp_filters"]));
    assert.deepEqual([...seen], ["1; 2; 1"]);
  },
);

Deno.test({
  name:
    "every thread of a process that root started becomes the sandbox's user, without groups and capabilities",
  ignore: ignoreUnlessRoot,
}, async () => {
  const names = ["Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapAmb"];
  const seen = await inspect({ uid: UID }, (pid) => threadFields(pid, names));
  const id = Array(4).fill(UID).join("\t");
  const none = "0".repeat(16);
  assert.deepEqual([...seen], [[id, id, "", none, none, none].join("; ")]);
});

Deno.test({ name: "limits are set for good, none above what there was", ignore }, async () => {
  const limits = await inspect(
    { maxProcesses: 400, maxOpenFiles: HUGE },
    (pid) => Deno.readTextFile(`/proc/${pid}/limits`),
  );
  const own = await Deno.readTextFile("/proc/self/limits");
  const both = (text: string, name: string) =>
    new RegExp(`^${name} +(\\S+) +(\\S+)`, "m").exec(text)!.slice(1);
  assert.deepEqual(both(limits, "Max core file size"), ["0", "0"]);
  assert.deepEqual(both(limits, "Max file size"), [`${LIMITS.maxFileBytes}`, `${LIMITS.maxFileBytes}`]);
  assert.deepEqual(both(limits, "Max processes"), ["400", "400"]);
  const hard = both(own, "Max open files")[1]!;
  assert.deepEqual(both(limits, "Max open files"), [hard, hard]);
});

Deno.test({ name: "a confined process cannot call foreign functions again", ignore }, async () => {
  const result = await confined(
    {},
    `
    const attempts = {
      open: () => Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } }),
      ask: () => { throw Deno.permissions.requestSync({ name: "ffi" }).state; },
      peek: () => Deno.UnsafePointer.create(4096n),
      addon: () => process.dlopen({ exports: {} }, "/tmp/none.node"),
    };
    return Object.values(attempts).map((attempt) => {
      try { attempt(); return "allowed"; } catch (error) { return error.name ?? error; }
    });`,
  );
  assert.deepEqual(result, ["NotCapable", "denied", "NotCapable", "NotCapable"]);
});

Deno.test(
  { name: "the data segment is bounded when the program is known, and its bound only sinks", ignore },
  async () => {
    const result = await confined(
      {},
      `
    confined.limitData(${HUGE});
    const before = new ArrayBuffer(900 * 1024 ** 2).byteLength;
    confined.limitData(1024 ** 3);
    confined.limitData(${HUGE});
    try { return [before, new ArrayBuffer(900 * 1024 ** 2).byteLength]; } catch (error) { return [before, error.name]; }`,
    );
    assert.deepEqual(result, [900 * 1024 ** 2, "RangeError"]);
  },
);

Deno.test({ name: "a write past the size of a file fails, and the process lives", ignore }, async () => {
  const result = await confined(
    { maxFileBytes: 1_000_000 },
    `
    try {
      Deno.writeFileSync(Deno.env.get("DIR") + "/big", new Uint8Array(2_000_000));
    } catch (error) { return error.message; }`,
  );
  assert.match(result as string, /File too large/);
});

Deno.test(
  { name: "a process with a user of its own has a bound on its threads", ignore: ignoreUnlessRoot },
  async () => {
    const result = await confined(
      { uid: UID + 1, maxProcesses: 24 },
      `
    const workers = [];
    try {
      while (workers.length < 100) workers.push(new Worker("data:text/javascript,", { type: "module" }));
    } catch (error) { return error.name; } finally { workers.forEach((worker) => worker.terminate()); }`,
    );
    assert.equal(result, "WouldBlock");
  },
);

for (const sockets of ["ipv4", "tcp4"] as const) {
  Deno.test(
    { name: `a confined process can do all that Deno does, sockets being "${sockets}"`, ignore },
    async () => {
      const module = import.meta.resolve("./testing/workload.ts");
      const result = await confined(
        { sockets },
        `
      const { runWorkload } = await import("${module}");
      await runWorkload(await Deno.makeTempDir({ dir: Deno.env.get("DIR") }), "${sockets}");
      return "done";`,
      );
      assert.equal(result, "done");
    },
  );
}

for (const uid of [undefined, UID + 2]) {
  Deno.test({
    name: `a confined process ends with its parent, ${
      uid === undefined ? "being the same user" : "having become a user"
    }`,
    ignore: uid === undefined ? ignore : ignoreUnlessRoot,
  }, async () => {
    await using place = await makeDirectory("ipv4");
    const { args, ...options } = command(place, { uid }, READY);
    const parent = new Deno.Command("/bin/sh", {
      args: ["-c", '"$@" & wait', "sh", Deno.execPath(), ...args],
      ...options,
      stderr: "null",
    }).spawn();
    await untilReady(parent.stdout);
    parent.kill("SIGKILL");
    await parent.status;
    // It ends when no process has the other end any more.
    assert.deepEqual(await Array.fromAsync(parent.stdout), []);
  });
}

Deno.test(
  { name: "what cannot be confined says which call failed and why", ignore: ignoreUnlessRoot },
  async () => {
    await using place = await makeDirectory("ipv4");
    await Deno.writeFile(place.filterPath, new Uint8Array(8));
    const { stderr, code } = await new Deno.Command(Deno.execPath(), command(place, {}, "return 1")).output();
    assert.equal(code, 1);
    assert.match(
      new TextDecoder().decode(stderr),
      /Cannot filter system calls: Invalid argument \(errno 22\)/,
    );
  },
);
