import assert from "node:assert/strict";
import type { Enclosure } from "./enclosure.ts";
import { bare } from "./layers/bare.ts";
import type { Program } from "./program.ts";
import type { AppLogLine } from "./log_intake.ts";
import { openSandboxHome } from "./home.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";
import { Trial } from "./testing/trial.ts";

const PROGRAM: Program = { entry: "main.js", env: {}, net: true, memoryMb: 128, bootTimeoutMs: 30_000 };

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

/** Nothing of the sandbox is left: no process, no socket, no file. */
async function assertGone(trial: Trial, pid: number) {
  assert.equal(await exists(`${trial.home.socketsDir}/trial`), false);
  assert.equal(await exists(`${trial.home.programsDir}/trial`), false);
  assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
}

const ENDS: Record<string, { files?: string; end: (trial: Trial) => unknown; reason: string }> = {
  "when it is blank": { end: ({ sandbox }) => sandbox.end("retired"), reason: "retired" },
  "when it serves": {
    files: `Deno.serve(() => new Response())`,
    end: ({ sandbox }) => sandbox.end("idle"),
    reason: "idle",
  },
  "when it computes without end": {
    files: `Deno.serve(() => { setTimeout(() => { for (;;); }); return new Response(); })`,
    end: async (trial) => {
      await trial.text();
      await trial.sandbox.end("evicted");
    },
    reason: "evicted",
  },
  "when it ignores signals": {
    files: `Deno.addSignalListener("SIGTERM", () => {}); Deno.serve(() => new Response());`,
    end: ({ sandbox }) => sandbox.end("shutdown"),
    reason: "shutdown",
  },
  "when its process is killed from outside": {
    files: `Deno.serve(() => new Response())`,
    end: ({ sandbox }) => Deno.kill(sandbox.pid, "SIGKILL"),
    reason: "crashed",
  },
  "when it runs out of memory": {
    files: `Deno.serve(() => { const hoard = []; for (;;) hoard.push(new Array(100_000).fill({})); })`,
    end: (trial) => trial.fetch().catch(() => {}),
    reason: "memory_limit",
  },
  "when it exits": {
    files: `Deno.serve(() => Deno.exit(1))`,
    end: (trial) => trial.fetch().catch(() => {}),
    reason: "exited",
  },
};

for (const [when, { files, end, reason }] of Object.entries(ENDS)) {
  Deno.test(`a sandbox that ends ${when} leaves nothing behind and says why`, async () => {
    await using trial = await Trial.start();
    if (files !== undefined) await trial.assign(files);
    const { pid } = trial.sandbox;
    await end(trial);
    assert.equal((await trial.sandbox.ended).reason, reason);
    await assertGone(trial, pid);
  });
}

Deno.test("the first reason for an end stands, and ending again is harmless", async () => {
  await using trial = await Trial.start();
  const ends = await Promise.all([
    trial.sandbox.end("evicted"),
    trial.sandbox.end("idle"),
    trial.sandbox.ended,
  ]);
  assert.deepEqual(ends.map(({ reason }) => reason), ["evicted", "evicted", "evicted"]);
  assert.equal((await trial.sandbox.end("shutdown")).reason, "evicted");
});

Deno.test("a sandbox that died while it was blank refuses its program", async () => {
  await using trial = await Trial.start();
  Deno.kill(trial.sandbox.pid, "SIGKILL");
  const refused = { name: "SandboxError", code: "crashed", message: /its process ended \(SIGKILL/ };
  await assert.rejects(trial.assign(`Deno.serve(() => new Response())`), refused);
  await trial.sandbox.ended;
  await assert.rejects(trial.assign(`Deno.serve(() => new Response())`), refused);
  assert.equal(await trial.sandbox.pendingWork(), 1);
});

Deno.test("a sandbox that dies while it is asked for its work counts as busy", async () => {
  await using trial = await Trial.serve(`Deno.serve(() => new Response())`);
  Deno.kill(trial.sandbox.pid, "SIGSTOP");
  const pending = trial.sandbox.pendingWork();
  Deno.kill(trial.sandbox.pid, "SIGKILL");
  assert.equal(await pending, 1);
  await trial.sandbox.ended;
});

Deno.test("a program whose files cannot be put there does not start, and says why", async () => {
  await using trial = await Trial.start();
  const populate = () => Promise.reject(new Error("no space"));
  const program = { ...PROGRAM, populate, bootTimeoutMs: 1_000 };
  await assert.rejects(trial.sandbox.assign(program), /no space/);
});

Deno.test("time that its files took is time that a program does not have", async () => {
  await using trial = await Trial.start();
  const populate = () => new Promise<void>((resolve) => setTimeout(resolve, 50));
  const program = { ...PROGRAM, populate, entry: "missing.js", bootTimeoutMs: 1 };
  await assert.rejects(trial.sandbox.assign(program), { code: "boot_timeout" });
});

Deno.test("a program that is started as a tree has its own configuration", async () => {
  const dataDir = await Deno.makeTempDir();
  await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
  const populate = async (dir: string) => {
    await Deno.writeTextFile(`${dir}/deno.json`, `{ "imports": { "greeting": "./lib.ts" } }`);
    await Deno.writeTextFile(`${dir}/lib.ts`, `export const greeting: string = "mapped";`);
    await Deno.writeTextFile(
      `${dir}/main.ts`,
      `const { greeting } = await import("greeting"); Deno.serve(() => new Response(greeting));`,
    );
  };
  const lines: AppLogLine[] = [];
  await using sandbox = await startSandbox({
    home,
    id: "tree",
    net: true,
    maxHeapMb: 128,
    tree: { populate, config: "deno.json" },
    onLog: (line) => lines.push(line),
  });
  const path = await sandbox.assign({ ...PROGRAM, entry: "main.ts" });
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  assert.equal(await (await fetch("http://127.0.0.1/", { client })).text(), "mapped");
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("a sandbox that cannot be started leaves nothing behind and says why", async () => {
  const dataDir = await Deno.makeTempDir();
  await using home = await openSandboxHome({ dataDir, denoPath: "/nonexistent/deno" });
  const options = { home, id: "none", net: true as const, maxHeapMb: 128, onLog() {} };
  await assert.rejects(startSandbox(options), /Cannot start|No such file|not found/);
  assert.equal(await exists(`${home.socketsDir}/none`), false);
  assert.equal(await exists(`${home.programsDir}/none`), false);
  await Deno.remove(dataDir, { recursive: true });
});

/** Starts a sandbox whose process is not our host but `code`, which can `say` what it likes to the keeper. */
async function withImpostor(
  code: string,
  check: (start: Promise<Sandbox>, lines: AppLogLine[]) => Promise<void>,
) {
  const dataDir = await Deno.makeTempDir();
  await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
  const script = `
    const keeper = await Deno.connect({ transport: "unix", path: Deno.env.get("CONTROL_SOCKET") });
    const guest = await Deno.connect({ transport: "unix", path: Deno.env.get("CONTROL_SOCKET") });
    const write = async (text) => {
      const bytes = new TextEncoder().encode(text);
      for (let sent = 0; sent < bytes.length;) sent += await keeper.write(bytes.subarray(sent));
    };
    const dir = Deno.env.get("CONTROL_SOCKET").replace(/[^/]+$/, "");
    for (const name of ["http", "node"]) Deno.listen({ transport: "unix", path: dir + name + ".sock" });
    const started = async () => {
      for (let heard = ""; !heard.includes('"start"');) {
        const bytes = new Uint8Array(1024);
        heard += new TextDecoder().decode(bytes.subarray(0, await guest.read(bytes)));
      }
    };
    const say = (message) => write(JSON.stringify(message) + "\\n");
    const heard = new Response(keeper.readable).text().catch(() => {});
    try { ${code} } catch {}
    await heard;
    setInterval(() => {}, 1_000);
  `;
  const lines: AppLogLine[] = [];
  const enclosure: Enclosure = {
    ...bare({ confinement: undefined }),
    wrap: ({ path, env }) => ({ path, args: ["eval", "--no-config", script], env }),
  };
  const impostor = { ...home, enclosure };
  const start = startSandbox({
    home: impostor,
    id: "impostor",
    net: true,
    maxHeapMb: 128,
    onLog: (line) => lines.push(line),
  });
  try {
    await check(start, lines);
  } finally {
    await start.then((sandbox) => sandbox.end("shutdown"), () => {});
    assert.equal(await exists(`${home.socketsDir}/impostor`), false);
    await Deno.remove(dataDir, { recursive: true });
  }
}

const GARBAGE = {
  "what is no JSON": `await write("GET / HTTP/1.1\\n")`,
  "a line without end": `for (;;) await write("x".repeat(65_536))`,
  "a line that is too long": `await write(JSON.stringify("x".repeat(300_000)) + "\\n")`,
  "what is no message": `await write("null\\n")`,
  "an unknown message": `await say({ type: "open" })`,
  "a message that cannot be read": `await say({ type: "log", message: { toString: null } })`,
  "bytes that are no text": `await keeper.write(new Uint8Array([0xff, 0xfe, 0x00, 10]))`,
};

for (const [name, code] of Object.entries(GARBAGE)) {
  Deno.test(`a sandbox that sends ${name} is ended for breaking the protocol`, () =>
    withImpostor(code, async (start) => {
      await assert.rejects(start, { name: "SandboxError", code: "protocol" });
    }));
}

Deno.test("a sandbox can choose only between its own two sockets", () =>
  withImpostor(
    `
    await say({ type: "blank" });
    await started();
    await say({ type: "ready", socket: "../../../../run/docker" });
    `,
    async (start) => {
      const sandbox = await start;
      assert.match(await sandbox.assign(PROGRAM), /\/served\/impostor\/http\.sock$/);
    },
  ));

const ANSWERS = {
  "what is no JSON": `"GET / HTTP/1.1\\n"`,
  "a line that is too long": `JSON.stringify("x".repeat(2_000)) + "\\n"`,
  "what is no message": `"null\\n"`,
};

for (const [name, text] of Object.entries(ANSWERS)) {
  Deno.test(`a guest that answers its program with ${name} is ended for breaking the protocol`, () =>
    withImpostor(
      `await say({ type: "blank" }); await guest.write(new TextEncoder().encode(${text}));`,
      async (start) => {
        const sandbox = await start;
        await assert.rejects(sandbox.assign(PROGRAM), { name: "SandboxError", code: "protocol" });
      },
    ));
}

Deno.test("a guest that hangs up on its program may still serve it, or be too late", () =>
  withImpostor(
    `
    await say({ type: "blank" });
    await started();
    guest.close();
    await say({ type: "ready", socket: "node" });
    `,
    async (start) => {
      const sandbox = await start;
      assert.match(await sandbox.assign(PROGRAM), /\/served\/impostor\/node\.sock$/);
      assert.equal((await sandbox.end("idle")).reason, "idle");
    },
  ));

Deno.test("a sandbox that floods its keeper costs a bounded number of lines", () =>
  withImpostor(
    `
    await say({ type: "blank" });
    for (let i = 0; i < 20_000; i++) await say({ type: "log", level: "loud", message: "line " + i });
    for (let i = 0; i < 20_000; i++) await say({ type: "dropped", count: 1 });
    await say({ type: "exit", code: "none", message: "end of flood" });
    `,
    async (start, lines) => {
      const sandbox = await start;
      assert.equal((await sandbox.ended).reason, "exited");
      const seconds = new Set(lines.map(({ time }) => time.slice(0, 19))).size;
      assert.ok(lines.length <= 1_001 * (seconds + 1), `${lines.length} lines in ${seconds}s`);
      assert.ok(lines.every(({ level }) => ["debug", "info", "warning", "error"].includes(level)));
    },
  ));

Deno.test("a sandbox that closes its keeper's connection is ended", () =>
  withImpostor(
    `await say({ type: "blank" }); await new Promise((r) => setTimeout(r, 10)); keeper.close();`,
    async (start) => {
      const sandbox = await start;
      assert.equal((await sandbox.ended).reason, "crashed");
    },
  ));

Deno.test("nonsense for an answer counts as busy", () =>
  withImpostor(
    `
    await say({ type: "blank" });
    for (const count of ["many", null, {}, -5]) await say({ type: "pending", id: 0, count });
    setInterval(() => say({ type: "pending", id: 0, count: "many" }), 10);
    `,
    async (start) => {
      const sandbox = await start;
      assert.ok(Number.isNaN(await sandbox.pendingWork()) || await sandbox.pendingWork() > 0);
    },
  ));

Deno.test("a flood on standard output leaves the server's memory as it was", async () => {
  await using trial = await Trial.serve(`
    const bytes = new TextEncoder().encode("x".repeat(1023) + "\\n" + "y".repeat(64 * 1024));
    Deno.serve(() => {
      for (let total = 0; total < 200_000_000; total += bytes.length) {
        for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
      }
      return new Response("done");
    });
  `);
  const before = Deno.memoryUsage().rss;
  assert.equal(await trial.text(), "done");
  const grownBytes = Deno.memoryUsage().rss - before;
  assert.ok(grownBytes < 100_000_000, `grown by ${grownBytes}`);
  assert.ok(trial.logs.length < 10_000, `${trial.logs.length} lines`);
});
