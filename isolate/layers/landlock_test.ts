import assert from "node:assert/strict";
import { writeBootCode } from "../boot_code.ts";
import type { SandboxCommand, SandboxPaths } from "../command.ts";
import { openLibc } from "../sandbox/libc.ts";
import { landlock, type LandlockOptions, landlockVersion } from "./landlock.ts";
import { seccompFilter } from "./seccomp.ts";
import { sharedLibraries } from "./shared_libraries.ts";

const FILTER_FILE = "filter.bpf";

/** As the kernel tells this process (landlock_create_ruleset(2)). */
function kernelVersion(): number {
  const { calls } = openLibc({
    syscall: { parameters: ["i64", "pointer", "usize", "u32"], result: "i64" },
  });
  return Math.max(0, Number(calls.syscall(444n, null, 0n, 1)));
}

const isLinux = Deno.build.os === "linux";
const version = isLinux ? kernelVersion() : 0;
const ignore = version === 0;

/** The directories of a sandbox, with the launcher and a seccomp program. */
class Place implements AsyncDisposable {
  readonly paths: SandboxPaths;

  private constructor(readonly dir: string) {
    this.paths = {
      denoPath: Deno.execPath(),
      bootDir: `${dir}/boot`,
      appDir: `${dir}/app`,
      socketsDir: `${dir}/sockets`,
      cacheDir: "/dev/null/cache",
    };
  }

  static async make(): Promise<Place> {
    const place = new Place(await Deno.realPath(await Deno.makeTempDir({ prefix: "isola-landlock-" })));
    const { bootDir, appDir, socketsDir } = place.paths;
    await writeBootCode(bootDir);
    for (const dir of [appDir, socketsDir]) await Deno.mkdir(dir);
    const filter = seccompFilter({ arch: Deno.build.arch, stage: 1, sockets: "tcp4" });
    await Deno.writeFile(`${bootDir}/${FILTER_FILE}`, filter);
    return place;
  }

  /** What makes a Deno that may do everything run a module within the walls. */
  async command(code: string, proxyPort?: number): Promise<SandboxCommand> {
    const { appDir, denoPath, cacheDir } = this.paths;
    await Deno.writeTextFile(`${appDir}/main.js`, code);
    const enclosure = landlock(await options());
    return enclosure.wrap(
      {
        path: denoPath,
        args: ["run", "-A", "--no-config", "--no-lock", `${appDir}/main.js`],
        env: { DENO_DIR: cacheDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", MARK: "kept" },
      },
      this.paths,
      proxyPort,
    );
  }

  /** What each attempt came to: `allowed`, or its error's message. */
  async attempt<N extends string>(
    attempts: Record<N, string>,
    { proxyPort, filtered = false }: { proxyPort?: number; filtered?: boolean } = {},
  ): Promise<Record<N, string>> {
    const entries = Object.entries(attempts).map(([name, code]) =>
      `${JSON.stringify(name)}: async () => { ${code} }`
    );
    const command = await this.command(
      `
      const results = {};
      for (const [name, attempt] of Object.entries({ ${entries.join()} })) {
        results[name] = await attempt().then((result) => result ?? "allowed", (error) => error.message);
      }
      console.log(JSON.stringify(results));`,
      proxyPort,
    );
    const args = command.args.filter((arg) => filtered || !arg.startsWith("--filter="));
    const { stdout, stderr } = await run({ ...command, args }, this.paths.appDir);
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.dir, { recursive: true });
  }
}

async function options(): Promise<LandlockOptions> {
  return {
    version,
    libraries: await sharedLibraries(Deno.execPath()),
    filterFile: FILTER_FILE,
    confinement: { maxOpenFiles: 1000, maxFileBytes: 1000 },
  };
}

async function run({ path, args, env }: SandboxCommand, cwd: string) {
  const output = await new Deno.Command(path, { args, env, clearEnv: true, cwd }).output();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

Deno.test(
  { name: "a process of its own finds out which version the kernel has", ignore: !isLinux },
  async () => {
    await using place = await Place.make();
    assert.equal(await landlockVersion(place.paths), version);
  },
);

Deno.test(
  { name: "Landlock alone leaves a process its files to read, and no other file at all", ignore },
  async () => {
    await using place = await Place.make();
    const { appDir, socketsDir } = place.paths;
    await Deno.symlink("/etc/passwd", `${appDir}/link`);
    const { own, self, ...others } = await place.attempt({
      own: `await Deno.readTextFile("main.js"); await Array.fromAsync(Deno.readDir("."))`,
      self: `return Deno.env.get("MARK") + Deno.execPath()`,
      "read": `await Deno.readTextFile("/etc/passwd")`,
      "read by a link": `await Deno.readTextFile("link")`,
      "read a process": `await Deno.readTextFile("/proc/self/environ")`,
      "list": `await Array.fromAsync(Deno.readDir("/"))`,
      "write its own": `await Deno.writeTextFile("main.js", "")`,
      "truncate its own": `await Deno.truncate("main.js")`,
      "create": `await Deno.writeTextFile("new", "")`,
      "create a directory": `await Deno.mkdir("new")`,
      "create beside the sockets": `await Deno.writeTextFile("${socketsDir}/new", "")`,
      "create in a common directory": `await Deno.writeTextFile("/tmp/new", "")`,
      "link": `await Deno.link("main.js", "${socketsDir}/new")`,
      "remove": `await Deno.remove("main.js")`,
      "run": `await new Deno.Command("/bin/true").output()`,
    });
    assert.deepEqual({ own, self }, { own: "allowed", self: "kept" + Deno.execPath() });
    for (const [name, result] of Object.entries(others)) assert.match(result, REFUSED, name);
  },
);

const REFUSED = /Permission denied|Operation not permitted|Invalid cross-device link|EACCES|EPERM/;

Deno.test(
  { name: "Landlock alone leaves a process one port and its own unix sockets", ignore: version < 4 },
  async () => {
    await using place = await Place.make();
    const { socketsDir } = place.paths;
    using allowed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { connect, listen, ...others } = await place.attempt({
      connect: `(await Deno.connect({ hostname: "127.0.0.1", port: ${allowed.addr.port} })).close()`,
      listen: `Deno.listen({ transport: "unix", path: "${socketsDir}/http.sock" }).close()`,
      "connect to another port": `await Deno.connect({ hostname: "127.0.0.1", port: ${other.addr.port} })`,
      "connect to another port by IPv6": `await Deno.connect({ hostname: "::1", port: ${other.addr.port} })`,
      "listen on another port": `Deno.listen({ hostname: "127.0.0.1", port: 0 })`,
      "listen on a unix socket elsewhere": `Deno.listen({ transport: "unix", path: "/tmp/isola-new.sock" })`,
    }, { proxyPort: allowed.addr.port });
    assert.deepEqual({ connect, listen }, { connect: "allowed", listen: "allowed" });
    for (const [name, result] of Object.entries(others)) assert.match(result, REFUSED, name);
  },
);

Deno.test(
  { name: "the port of a sandbox is free, and its process may listen on it", ignore: version < 4 },
  async () => {
    await using place = await Place.make();
    const proxyPort = landlock(await options()).proxyPort()!;
    const { listen } = await place.attempt({
      listen: `Deno.listen({ hostname: "127.0.0.1", port: ${proxyPort} }).close()`,
    }, { proxyPort });
    assert.equal(listen, "allowed");
  },
);

Deno.test({
  name: "before Landlock had rules for TCP, a process has the machine's network",
  ignore: !isLinux,
}, async () => {
  const enclosure = landlock({ ...await options(), version: 3 });
  assert.equal(enclosure.proxyPort(), undefined);
});

Deno.test({
  name: "Landlock alone keeps a process from abstract sockets and from processes outside",
  ignore: version < 6,
}, async () => {
  await using place = await Place.make();
  const abstract = `\0isola-landlock-${crypto.randomUUID()}`;
  using _listener = Deno.listen({ transport: "unix", path: abstract });
  const { itself, ...others } = await place.attempt({
    itself: `Deno.kill(Deno.pid, "SIGCONT")`,
    "connect": `await Deno.connect({ transport: "unix", path: ${JSON.stringify(abstract)} })`,
    "signal": `Deno.kill(Deno.ppid, "SIGCONT")`,
  });
  assert.equal(itself, "allowed");
  for (const [name, result] of Object.entries(others)) assert.match(result, REFUSED, name);
});

Deno.test({
  name: "with the seccomp program a process has TCP over IPv4 alone, and no further process",
  ignore,
}, async () => {
  await using place = await Place.make();
  const results = await place.attempt({
    worker: `
      const worker = new Worker("data:text/javascript,self.postMessage(1)", { type: "module" });
      await new Promise((resolve) => worker.onmessage = resolve);
      worker.terminate();`,
    UDP: `
      const { default: dgram } = await import("node:dgram");
      const socket = dgram.createSocket("udp4");
      await new Promise((resolve, reject) => socket.on("error", reject).bind(0, resolve));`,
    IPv6: `Deno.listen({ hostname: "::1", port: 0 })`,
    process: `await new Deno.Command(Deno.execPath(), { args: ["--version"] }).output()`,
  }, { filtered: true });
  assert.equal(results.worker, "allowed");
  assert.match(results.UDP, /EAFNOSUPPORT|not supported/);
  assert.match(results.IPv6, /not supported/);
  assert.match(results.process, REFUSED);
});

Deno.test({
  name: "a process that root started becomes another user within the walls, and then is under both programs",
  ignore: ignore || Deno.uid() !== 0,
}, async () => {
  await using place = await Place.make();
  const { bootDir } = place.paths;
  await Deno.chmod(place.dir, 0o711);
  const filter = seccompFilter({ arch: Deno.build.arch, stage: 2, sockets: "tcp4" });
  await Deno.writeFile(`${bootDir}/filter_2.bpf`, filter);
  const { confine, uid, kill, ...others } = await place.attempt({
    confine: `
      const { confine } = await import("${bootDir}/confine.js");
      const filter = await Deno.readFile("${bootDir}/filter_2.bpf");
      confine({ uid: 1_900_000_200, maxOpenFiles: 100, maxFileBytes: 1000, filter });`,
    uid: `await Deno.readTextFile("main.js"); return String(Deno.uid());`,
    kill: `Deno.kill(Deno.pid, "SIGCONT")`,
    "read": `await Deno.readTextFile("/etc/passwd")`,
    "create": `await Deno.writeTextFile("new", "")`,
    "signal": `Deno.kill(Deno.ppid, "SIGCONT")`,
    "run": `await new Deno.Command(Deno.execPath(), { args: ["--version"] }).output()`,
  }, { filtered: true });
  assert.deepEqual({ confine, uid, kill }, { confine: "allowed", uid: "1900000200", kill: "allowed" });
  for (const [name, result] of Object.entries(others)) assert.match(result, REFUSED, name);
});

Deno.test({ name: "a process inherits nothing but its standard descriptors", ignore }, async () => {
  await using place = await Place.make();
  const { path, args, env } = await place.command(`
    const libc = Deno.dlopen("libc.so.6", { fcntl: { parameters: ["i32", "i32"], result: "i32" } });
    const F_GETFD = 1;
    console.log(libc.symbols.fcntl(2, F_GETFD), libc.symbols.fcntl(99, F_GETFD));`);
  const inheriting = {
    path: "/bin/bash",
    args: ["-c", 'exec 99</etc/passwd; exec "$@"', "bash", path, ...args],
    env,
  };
  assert.equal((await run(inheriting, place.paths.appDir)).stdout, "0 -1\n");
});

Deno.test({ name: "what cannot be put within the walls is not started, and says why", ignore }, async () => {
  await using place = await Place.make();
  const { path, args, env } = await place.command("console.log('started')");
  await Deno.remove(place.paths.socketsDir);
  const missing = await run({ path, args, env }, place.paths.appDir);
  assert.deepEqual([missing.code, missing.stdout], [126, ""]);
  assert.match(missing.stderr, /^Cannot open ".*\/sockets": No such file or directory \(errno 2\)\n$/);
  await Deno.mkdir(place.paths.socketsDir);
  await Deno.writeFile(`${place.paths.bootDir}/${FILTER_FILE}`, new Uint8Array(8));
  const invalid = await run({ path, args, env }, place.paths.appDir);
  assert.deepEqual([invalid.code, invalid.stdout], [126, ""]);
  assert.match(invalid.stderr, /^Cannot filter system calls: Invalid argument \(errno 22\)\n$/);
});
