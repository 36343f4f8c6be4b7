import assert from "node:assert/strict";
import { Trial } from "./testing/trial.ts";

/** Serves what became of each attempt: `allowed`, or the name of the error. */
const attempts = (attempts: Record<string, string>) => `
  import fs from "node:fs";
  import net from "node:net";
  import process from "node:process";
  import { exec, spawn, spawnSync } from "node:child_process";
  import { Worker as NodeWorker } from "node:worker_threads";
  const inWorker = (permissions, code) => new Promise((resolve, reject) => {
    const url = "data:text/javascript," + encodeURIComponent(code);
    const worker = new Worker(url, { type: "module", deno: { permissions } });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); };
  });
  // A fetch fails with a TypeError, and the refusal of an address that was looked up is its cause.
  const nameOf = (error) => /Requires net access/.test(error.cause?.message) ? "NotCapable" : error.code ?? error.name;
  const attempts = {
    ${
  Object.entries(attempts).map(([name, code]) => `${JSON.stringify(name)}: async () => { ${code} },`).join(
    "\n",
  )
}
  };
  Deno.serve(async () => {
    const results = {};
    for (const [name, run] of Object.entries(attempts)) {
      results[name] = await run().then((result) => result ?? "allowed", nameOf);
    }
    return Response.json(results);
  });
`;

/** All attempts fail, each with an error that the program can catch, and the isolate lives. */
async function refused(code: Record<string, string>, expected: RegExp) {
  await using trial = await Trial.serve(attempts(code));
  for (const [name, result] of Object.entries(await trial.json() as Record<string, string>)) {
    assert.match(result, expected, `${name}: ${result}`);
  }
  assert.equal(typeof await trial.json(), "object");
}

const NOT_CAPABLE = /^(NotCapable|PermissionDenied|EACCES|EPERM|ERR_ACCESS_DENIED|denied)$/;

Deno.test("a program cannot read outside its files", () =>
  refused({
    "a file of the host": `return await Deno.readTextFile("/etc/passwd")`,
    "a file of the host by node": `return fs.readFileSync("/etc/passwd", "utf8")`,
    "a file above": `return await Deno.readTextFile("../../secret")`,
    "a folder": `return Array.from(Deno.readDirSync("/"), ({ name }) => name).join()`,
    "its process": `return await Deno.readTextFile("/proc/self/environ")`,
    "its keeper's environment": `return await Deno.readTextFile("/proc/" + Deno.ppid + "/environ")`,
    "metadata": `return (await Deno.stat("/etc/passwd")).size`,
    "a real path": `return await Deno.realPath("/etc")`,
    "a permission asked for": `
      const { state } = await Deno.permissions.request({ name: "read", path: "/" });
      return state;`,
  }, NOT_CAPABLE));

Deno.test("a program cannot import from outside its files", () =>
  refused({
    "text": `return (await import("/etc/passwd", { with: { type: "text" } })).default`,
    "text by URL": `return (await import("file:///etc/hostname", { with: { type: "text" } })).default`,
    "a package of the registry": `await import("npm:left-pad@1.3.0")`,
    "a package of JSR": `await import("jsr:@std/path")`,
    "a module of the network": `await import("https://esm.sh/left-pad")`,
  }, /^(TypeError|ERR_MODULE_NOT_FOUND|NotCapable)$/));

Deno.test("a program cannot write", () =>
  refused({
    "over its files": `await Deno.writeTextFile("main.js", "")`,
    "beside its files": `await Deno.writeTextFile("new.txt", "")`,
    "into the temporary folder": `await Deno.writeTextFile("/tmp/isola-permissions", "")`,
    "a temporary file": `return await Deno.makeTempFile()`,
    "by node": `fs.writeFileSync("new.txt", "")`,
    "a folder": `await Deno.mkdir("folder")`,
    "by removing": `await Deno.remove("main.js")`,
    "by renaming": `await Deno.rename("main.js", "other.js")`,
    "by linking": `await Deno.symlink("/etc", "etc")`,
    "a mode": `await Deno.chmod("main.js", 0o777)`,
  }, NOT_CAPABLE));

Deno.test("a program cannot start processes, load libraries or signal others", () =>
  refused({
    "Deno.Command": `new Deno.Command("/usr/bin/id").outputSync()`,
    "Deno.Command of Deno": `new Deno.Command(Deno.execPath()).spawn()`,
    "exec":
      `return await new Promise((resolve, reject) => exec("/usr/bin/id", (error, out) => error ? reject(error) : resolve(out)))`,
    "spawnSync": `return "status" in spawnSync("/usr/bin/id") ? "allowed" : "denied"`,
    "spawn":
      `await new Promise((resolve, reject) => spawn("/usr/bin/id").on("error", reject).on("exit", resolve))`,
    "dlopen": `Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } })`,
    "a native addon": `process.dlopen({ exports: {} }, "/tmp/x.node")`,
    "a signal to its keeper": `Deno.kill(Deno.ppid, "SIGKILL")`,
    "a signal by node": `process.kill(process.ppid, "SIGKILL")`,
    "the host's load": `return Deno.loadavg()`,
  }, NOT_CAPABLE));

Deno.test("a nested Worker cannot have more than its program", () =>
  refused({
    "all":
      `return await inWorker("inherit", 'postMessage(Deno.readTextFileSync("/etc/hostname"))').catch(() => "denied")`,
    "reading": `return await inWorker({ read: true }, 'postMessage("read")')`,
    "running": `return await inWorker({ run: true }, 'postMessage("run")')`,
    "node's": `return await new Promise((resolve, reject) => {
      const worker = new NodeWorker('require("node:fs").readFileSync("/etc/hostname")', { eval: true });
      worker.on("error", () => resolve("denied"));
      worker.on("exit", (code) => resolve(code === 0 ? "allowed" : "denied"));
    })`,
  }, NOT_CAPABLE));

Deno.test("a program cannot reach loopback or private addresses, however they are spelled", async () => {
  const listener = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen() {} }, () => new Response("reached"));
  try {
    const { port } = listener.addr;
    const hosts = [
      "127.0.0.1",
      "127.1",
      "0x7f000001",
      "2130706433",
      "localhost",
      "0.0.0.0",
      "[::1]",
      "[::]",
      "[::ffff:127.0.0.1]",
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
    ];
    const byFetch = hosts.map((
      host,
    ) => [`fetch ${host}`, `return await (await fetch("http://${host}:${port}/")).text()`]);
    await refused({
      ...Object.fromEntries(byFetch),
      "Deno.connect": `await Deno.connect({ hostname: "127.0.0.1", port: ${port} })`,
      "Deno.connectTls": `await Deno.connectTls({ hostname: "127.0.0.1", port: ${port} })`,
      "node:net":
        `await new Promise((resolve, reject) => net.connect(${port}, "127.0.0.1", resolve).on("error", reject))`,
      "WebSocket": `await new Promise((resolve, reject) => {
        const socket = new WebSocket("ws://127.0.0.1:${port}");
        socket.onopen = resolve;
        socket.onerror = ({ error, message }) => reject(Object.assign(new Error(message || error), { code: "denied" }));
      })`,
      "a unix socket": `await Deno.connect({ transport: "unix", path: "/run/docker.sock" })`,
      "a proxy": `
        const client = Deno.createHttpClient({ proxy: { url: "http://127.0.0.1:${port}" } });
        return await (await fetch("http://example.com", { client })).text()`,
    }, /^(NotCapable|denied)$/);
  } finally {
    await listener.shutdown();
  }
});

Deno.test("a program reaches no hosts beyond those it was given", async () => {
  await using trial = await Trial.serve(
    attempts({ other: `await fetch("http://192.0.2.1/")`, named: `await fetch("http://allowed.invalid/")` }),
    { net: ["allowed.invalid"] },
  );
  // The name does not exist, which is found out only by whoever may look it up.
  assert.deepEqual(await trial.json(), { other: "NotCapable", named: "TypeError" });
});

Deno.test("a program cannot take its socket away or connect to its keeper", async () => {
  await using trial = await Trial.start();
  const env = { SOCKETS: `${trial.home.socketsDir}/trial` };
  const code = attempts({
    remove: `await Deno.remove(Deno.env.get("SOCKETS") + "/http.sock")`,
    rename:
      `await Deno.rename(Deno.env.get("SOCKETS") + "/http.sock", Deno.env.get("SOCKETS") + "/node.sock")`,
    connect: `await Deno.connect({ transport: "unix", path: Deno.env.get("SOCKETS") + "/http.sock" })`,
    keeper: `await Deno.connect({ transport: "unix", path: Deno.env.get("SOCKETS") + "/control.sock" })`,
    folder: `return Array.from(Deno.readDirSync(Deno.env.get("SOCKETS"))).length`,
  });
  await trial.assign(code, { env });
  for (const [name, result] of Object.entries(await trial.json() as Record<string, string>)) {
    assert.match(result, NOT_CAPABLE, name);
  }
  assert.equal(typeof await trial.json(), "object");
});

Deno.test("unstable APIs are not there", async () => {
  await using trial = await Trial.serve(`
    const names = ["openKv", "cron", "listenDatagram", "QuicEndpoint", "bundle"];
    Deno.serve(() => Response.json(names.filter((name) => name in Deno && Deno[name] !== undefined)));
  `);
  assert.deepEqual(await trial.json(), []);
});
