import assert from "node:assert/strict";
import { basename } from "node:path";
import { openSandboxHome } from "./home.ts";

const POLL_MS = 20;
const GONE_TIMEOUT_MS = 20_000;

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

async function eventually(what: string, holds: () => Promise<boolean>) {
  const deadline = Date.now() + GONE_TIMEOUT_MS;
  while (!await holds()) {
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A zombie whose parent has not looked yet counts as gone. */
async function running(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => ") Z");
  return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
}

async function childrenOf(parentPid: number): Promise<{ pid: number; command: string }[]> {
  const children = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    if (stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] !== String(parentPid)) continue;
    const command = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    children.push({ pid: Number(name), command });
  }
  return children;
}

/** What a server of its own process says of its home and of the sandbox in it, whose program computes without end. */
interface Server {
  pid: number;
  sandboxPid: number;
  socketsDir: string;
  programsDir: string;
  /** Resolves when its last thread is gone: until then its locks are held, though the process may be a zombie. */
  ended: Promise<unknown>;
}

async function withServer(layers: "auto" | "off", check: (server: Server, dataDir: string) => Promise<void>) {
  const dataDir = await Deno.makeTempDir();
  const script = `
    import { openSandboxHome } from "${import.meta.resolve("./home.ts")}";
    import { startSandbox } from "${import.meta.resolve("./sandbox.ts")}";
    const home = await openSandboxHome({
      dataDir: ${JSON.stringify(dataDir)},
      denoPath: Deno.execPath(),
      layers: "${layers}",
    });
    const sandbox = await startSandbox({
      home,
      id: "orphan",
      net: true,
      maxHeapMb: 128,
      onLog() {},
    });
    await sandbox.assign({
      populate: (dir) => Deno.writeTextFile(dir + "/main.js", "Deno.serve(() => new Response()); setTimeout(() => { for (;;); })"),
      entry: "main.js",
      env: {},
      net: true,
      memoryMb: 128,
      bootTimeoutMs: 30_000,
    });
    const { socketsDir, programsDir } = home;
    console.log(JSON.stringify({ pid: Deno.pid, sandboxPid: sandbox.pid, socketsDir, programsDir }));
  `;
  await Deno.writeTextFile(`${dataDir}/server.ts`, script);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-lock", "--no-config", `${dataDir}/server.ts`],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await check({ ...JSON.parse(new TextDecoder().decode(value)), ended: child.status }, dataDir);
    await reader.cancel();
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // Gone, as it should.
    }
    await child.status;
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function assertGone({ sandboxPid, socketsDir, programsDir }: Server) {
  await eventually("the sandbox's process is gone", async () => !await running(sandboxPid));
  await eventually("its sockets are gone", async () => !await exists(socketsDir));
  await eventually("its files are gone", async () => !await exists(programsDir));
}

Deno.test("a home is the server's alone, has short paths, and is gone when it is closed", async () => {
  const dataDir = await Deno.makeTempDir();
  const home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
  for (const dir of [home.socketsDir, home.programsDir]) {
    // To be passed through by those who know what is in there: sandboxes with users of their own.
    assert.equal((await Deno.stat(dir)).mode! & 0o777, 0o711, dir);
  }
  assert.ok(`${home.socketsDir}/0123456789ab/control.sock`.length <= 107);
  assert.equal(basename(home.socketsDir), basename(home.programsDir));
  assert.equal(await exists(`${home.bootDir}/host.js`), true);
  await home[Symbol.asyncDispose]();
  assert.equal(await exists(home.socketsDir), false);
  assert.equal(await exists(home.programsDir), false);
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("the sandbox's code is plain JavaScript that imports only itself", async () => {
  const dataDir = await Deno.makeTempDir();
  await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
  const { bootDir } = home;
  for await (const { name } of Deno.readDir(bootDir)) {
    if (name.endsWith(".bpf")) continue;
    assert.match(name, /\.js$/);
    const code = await Deno.readTextFile(`${bootDir}/${name}`);
    for (const [, specifier] of code.matchAll(/^(?:import|export|\}) .*from "([^"]+)"/gm)) {
      assert.match(specifier!, /^(\.\/[a-z0-9_]+\.js|node:[\w/]+)$/);
    }
  }
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("a home whose layers are required does not open with less than all, says why, and leaves nothing", async () => {
  const dataDir = await Deno.makeTempDir();
  const options = { dataDir, denoPath: Deno.execPath(), layers: "required" as const };
  const less = openSandboxHome({ ...options, strongest: "landlock" });
  await assert.rejects(less, /^Error: Cannot sandbox untrusted code as required on this machine/);
  await eventually(
    "its directory is gone",
    async () => (await Array.fromAsync(Deno.readDir(`${dataDir}/run`))).length === 0,
  );
  await using home = await openSandboxHome(options);
  assert.equal(home.layers.level, "full");
  await home[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("what lies about from an earlier server is removed, and nothing else", async () => {
  const dataDir = await Deno.makeTempDir();
  const leftDir = await Deno.makeTempDir({ prefix: "isola-" });
  const otherDir = await Deno.makeTempDir({ prefix: "isola-other-" });
  await Deno.mkdir(`${dataDir}/run/${basename(leftDir)}/x/app`, { recursive: true });
  await Deno.writeTextFile(`${dataDir}/run/${basename(leftDir)}/.sockets`, leftDir);
  await Deno.mkdir(`${dataDir}/run/broken`);
  await Deno.writeTextFile(`${dataDir}/run/broken/.sockets`, otherDir);
  await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
  assert.equal(await exists(leftDir), false);
  assert.equal(await exists(otherDir), true);
  const left = Array.from(Deno.readDirSync(`${dataDir}/run`), ({ name }) => name);
  assert.deepEqual(left, [basename(home.programsDir)]);
  await Deno.remove(otherDir);
  await home[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("a second home of one data directory leaves the first alone", async () => {
  const dataDir = await Deno.makeTempDir();
  const options = { dataDir, denoPath: Deno.execPath(), layers: "off" as const };
  await using first = await openSandboxHome(options);
  await using second = await openSandboxHome(options);
  assert.equal(await exists(`${first.bootDir}/host.js`), true);
  const names = Array.from(Deno.readDirSync(`${dataDir}/run`), ({ name }) => name);
  assert.deepEqual(names.sort(), [first, second].map(({ programsDir }) => basename(programsDir)).sort());
  await first[Symbol.asyncDispose]();
  assert.equal(await exists(`${second.bootDir}/host.js`), true);
  await second[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
});

for (const layers of ["auto", "off"] as const) {
  Deno.test(`nothing outlives a server that is killed with -9, with the sandbox's layers ${layers}`, () =>
    withServer(layers, async (server) => {
      Deno.kill(server.pid, "SIGKILL");
      await assertGone(server);
    }));
}

Deno.test("what outlives a server that is killed with its janitor ends when the next one starts", () =>
  withServer("off", async (server, dataDir) => {
    const janitor = (await childrenOf(server.pid)).find(({ command }) => command.startsWith("/bin/sh"))!;
    // Stopped, the process cannot notice that its keeper is gone.
    Deno.kill(server.sandboxPid, "SIGSTOP");
    Deno.kill(janitor.pid, "SIGKILL");
    Deno.kill(server.pid, "SIGKILL");
    await server.ended;
    assert.equal(await running(server.sandboxPid), true);
    await using _next = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
    await assertGone(server);
  }));

Deno.test("Ctrl-C in a terminal reaches neither the sandboxes nor the janitor", () =>
  withServer("auto", async (server) => {
    for (const { pid } of await childrenOf(server.pid)) {
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      const [, , group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      assert.deepEqual([group, session], [String(pid), String(pid)]);
    }
  }));
