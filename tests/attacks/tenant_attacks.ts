import { type Attack, attacksOf } from "./attack.ts";
import { WORKERS } from "./workers.ts";

/** In programs: what the attacks share. */
export const TENANT = `${WORKERS}
  import fs from "node:fs";
  import net from "node:net";
  import os from "node:os";
  import vm from "node:vm";
  import { exec, execFileSync, fork, spawn, spawnSync } from "node:child_process";
  import { createRequire } from "node:module";
  const refuse = (why) => { throw new Error("NotCapable: " + why); };
`;

/** What a tenant tries before it serves, when its sockets are not all there yet. */
export const EARLY_ATTACKS: Attack[] = attacksOf({
  "make a directory in place of its second socket": `Deno.mkdirSync(T.sockets + "/node.sock"); return "made"`,
  "fill the disk": `
    try { Deno.mkdirSync(T.sockets + "/node.sock"); } catch {}
    Deno.writeFileSync(T.sockets + "/node.sock/file", new Uint8Array(1024)); return "written"`,
  "write a file in place of its second socket":
    `Deno.writeFileSync(T.sockets + "/node.sock", new Uint8Array(1024))`,
  "make a link in place of its second socket": `Deno.symlinkSync(T.unixPath, T.sockets + "/node.sock")`,
  "take its socket away": `Deno.removeSync(T.sockets + "/http.sock")`,
  "exchange its sockets": `Deno.renameSync(T.sockets + "/node.sock", T.sockets + "/http.sock")`,
});

/** What a tenant tries through the runtime: files, processes, the runtime's own inside. */
export const TENANT_ATTACKS: Attack[] = attacksOf({
  "read a file": `return Deno.readTextFileSync(T.secretFile)`,
  "read a file by node": `return fs.readFileSync(T.secretFile, "utf8")`,
  "read a file by a stream": `return await new Response((await Deno.open(T.secretFile)).readable).text()`,
  "read a file by a path that leaves its own":
    `return Deno.readTextFileSync(T.app + "/../../../../../../.." + T.secretFile)`,
  "read a file by a URL": `return Deno.readTextFileSync(new URL("file://" + T.secretFile))`,
  "read a file by fetch": `return await (await fetch("file://" + T.secretFile)).text()`,
  "read a file by require": `return createRequire("file:///")(T.secretFile).secret`,
  "import a file as text": `return (await import(T.secretFile, { with: { type: "text" } })).default`,
  "import a file as bytes": `return (await import(T.secretFile, { with: { type: "bytes" } })).default`,
  "import a file as JSON":
    `return (await import("file://" + T.secretFile, { with: { type: "json" } })).default.secret`,
  "import a file through a module": `
    const code = "import secret from " + JSON.stringify("file://" + T.secretFile) + " with { type: 'json' }; export default secret.secret";
    return (await import("data:text/javascript," + encodeURIComponent(code))).default`,
  "import a file through a blob": `
    const code = "import secret from " + JSON.stringify("file://" + T.secretFile) + " with { type: 'json' }; export default secret.secret";
    return (await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })))).default`,
  "learn of a file": `return Deno.statSync(T.secretFile).size`,
  "list the root": `return [...Deno.readDirSync("/")].map(({ name }) => name).join()`,
  "watch files": `for await (const { paths } of Deno.watchFs(T.dir)) return paths`,
  "read its process": `return Deno.readTextFileSync("/proc/self/environ")`,
  "read its memory's map": `return fs.readFileSync("/proc/self/maps", "utf8")`,
  "read its descriptors": `return fs.readdirSync("/dev/fd").join()`,
  "read the neighbour's program": `return Deno.readTextFileSync(T.victimApp + "/main.js")`,
  "read the neighbour's environment": `return Deno.readTextFileSync("/proc/" + T.victimPid + "/environ")`,
  "read the server's environment": `return Deno.readTextFileSync("/proc/" + T.serverPid + "/environ")`,
  "read our code": `return Deno.readTextFileSync(T.boot + "/host.js")`,
  "write over its program": `Deno.writeTextFileSync(T.app + "/main.js", "")`,
  "write beside its program": `Deno.writeTextFileSync(T.app + "/new.js", "")`,
  "write a temporary file": `return Deno.makeTempFileSync()`,
  "write into a directory that everyone may write": `Deno.writeTextFileSync(T.dir + "/attacked", "")`,
  "make a link": `Deno.symlinkSync(T.secretFile, T.app + "/link")`,
  "make a link in its sockets' place": `Deno.symlinkSync(T.unixPath, T.sockets + "/node.sock")`,
  "make a hard link": `Deno.linkSync(T.secretFile, T.app + "/link")`,
  "take its socket away": `Deno.removeSync(T.sockets + "/http.sock")`,
  "exchange its sockets": `Deno.renameSync(T.sockets + "/node.sock", T.sockets + "/http.sock")`,
  "have its socket run as its owner": `Deno.chmodSync(T.sockets + "/node.sock", 0o4777)`,
  "open a database": `
    const { DatabaseSync } = await import("node:sqlite");
    return new DatabaseSync(T.dir + "/database").prepare("SELECT 1").get()`,
  "attach a database": `
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(":memory:");
    database.exec("ATTACH '" + T.dir + "/database' AS other"); return "attached"`,
  "load an extension of a database": `
    const { DatabaseSync } = await import("node:sqlite");
    new DatabaseSync(":memory:", { allowExtension: true }).loadExtension("libm.so.6"); return "loaded"`,
  "write a heap snapshot": `return (await import("node:v8")).writeHeapSnapshot(T.dir + "/heap")`,

  "be granted what it asks for": `
    for (const name of ["read", "write", "net", "run", "ffi", "sys", "import"]) {
      const { state } = await Deno.permissions.request({ name });
      if (name !== "net" && state === "granted") return name;
    }
    refuse("none")`,
  "start a program": `return new Deno.Command("/bin/sh", { args: ["-c", "id"] }).outputSync().code`,
  "start Deno": `return new Deno.Command(Deno.execPath(), { args: ["eval", "-A", "1"] }).outputSync().code`,
  "start a program by a shell":
    `return await new Promise((resolve, reject) => exec("id", (error, out) => error ? reject(error) : resolve(out)))`,
  "start a program by node": `return await settled(spawn("/bin/sh", ["-c", "id"]), "exit")`,
  "start a program and wait":
    `const { error, stdout } = spawnSync("/bin/sh", ["-c", "id"]); if (error) throw error; return stdout ?? refuse("no output")`,
  "start a file": `return execFileSync("/bin/sh", ["-c", "id"])`,
  "fork": `return fork(T.app + "/main.js").on("error", () => {}).pid ?? refuse("no process")`,
  "make a cluster": `
    const worker = (await import("node:cluster")).default.fork();
    worker.on("error", () => {}); worker.process.on("error", () => {});
    return worker.process.pid ?? refuse("no process")`,
  "load a library":
    `return Object.keys(Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } }).symbols)`,
  "load an addon": `process.dlopen({ exports: {} }, "libc.so.6"); return "loaded"`,
  "make a pointer": `return Deno.UnsafePointer.create(4096n)`,
  "read memory": `return new Deno.UnsafePointerView({}).getUint8()`,
  "end its neighbour": `Deno.kill(T.victimPid, "SIGKILL"); return "ended"`,
  "end the server by node": `return process.kill(T.serverPid, "SIGKILL")`,
  "end its own process": `Deno.kill(Deno.pid, "SIGKILL"); return "ended"`,
  "end its own process by node": `return process.kill(process.pid, "SIGKILL")`,
  "abort its own process": `process.abort(); return "aborted"`,
  "become another user": `process.setuid(0); return process.getuid()`,
  "inspect itself":
    `const inspector = await import("node:inspector"); inspector.open(0); return inspector.url()`,

  "take over descriptors": `
    const taken = [];
    for (let fd = 3; fd < 64; fd++) {
      try { const socket = new net.Socket({ fd }); socket.on("error", () => {}); taken.push(fd); } catch {}
    }
    return taken.length ? taken : refuse("none")`,
  "serve on descriptors": `
    const listening = await Promise.all(Array.from({ length: 61 }, (_, i) => new Promise((resolve) => {
      const server = net.createServer();
      server.on("error", () => resolve(false));
      server.listen({ fd: i + 3 }, () => resolve(i + 3));
    })));
    return listening.some(Boolean) ? listening.filter(Boolean) : refuse("none")`,
  "write to descriptors": `
    const written = [];
    for (let fd = 3; fd < 64; fd++) { try { fs.writeSync(fd, "{}\\n"); written.push(fd); } catch {} }
    return written.length ? written : refuse("none")`,
  "read from descriptors": `
    const read = [];
    for (let fd = 3; fd < 64; fd++) { try { fs.readSync(fd, new Uint8Array(1)); read.push(fd); } catch {} }
    return read.length ? read : refuse("none")`,
  "use the runtime's operations": `
    const { core } = Deno[Deno.internal];
    const found = ["op_spawn_child", "op_fs_read_file_sync", "op_ffi_load", "op_kill", "op_bootstrap_args"].filter((op) => op in core.ops);
    return found.length ? found : refuse("none of them")`,
  "import the runtime's modules": `return Object.keys(await import(["ext", "core/ops"].join(":"))).length`,
  "import a process's bindings": `
    const found = ["spawn_sync", "process_wrap"].filter((name) => { try { return Object.keys(process.binding(name)).length > 0; } catch { return false; } });
    return found.length ? found : refuse("none")`,
  "use a GPU": `return await navigator.gpu?.requestAdapter() ?? refuse("none")`,
  "raise V8's limits": `
    const v8 = await import("node:v8");
    v8.setFlagsFromString("--max-heap-size=8192");
    const limit = v8.getHeapStatistics().heap_size_limit;
    return limit > 2 ** 30 ? limit : refuse("still " + limit)`,
  "use what is unstable": `
    const names = ["openKv", "cron", "listenDatagram", "QuicEndpoint", "bundle", "connectQuic", "umask"];
    const found = names.filter((name) => { try { return name !== "umask" && typeof Deno[name] === "function"; } catch { return false; } });
    return found.length ? found : refuse("none")`,
  "keep something on disk": `
    const { localStorage } = globalThis;
    if (!localStorage) refuse("there is no place");
    localStorage.setItem("key", "value"); return localStorage.getItem("key")`,
  "keep something in the Cache API": `
    const cache = await caches.open("cache");
    await cache.put("http://cache/key", new Response("value")); return await (await cache.match("http://cache/key")).text()`,

  "have a Worker with more":
    `return await inWorker("postMessage(Deno.readTextFileSync(" + JSON.stringify(T.secretFile) + "))", { deno: { permissions: { read: true } } })`,
  "have a Worker that inherits":
    `return await inWorker("postMessage(Deno.readTextFileSync(" + JSON.stringify(T.secretFile) + "))", { deno: { permissions: "inherit" } })`,
  "have a Worker's Worker": `
    const inner = "postMessage(Deno.readTextFileSync(" + JSON.stringify(T.secretFile) + "))";
    const outer = "const worker = new Worker('data:text/javascript,' + encodeURIComponent(" + JSON.stringify(inner) + "), { type: 'module' });" +
      "worker.onmessage = ({ data }) => postMessage(data); worker.onerror = (event) => { event.preventDefault(); reportError(new Error(event.message)); };";
    return await inWorker(outer)`,
  "have a Worker of a file": `
    const worker = new Worker("file://" + T.secretFile, { type: "module" });
    return await new Promise((resolve, reject) => { worker.onmessage = resolve; worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); }; })`,
  "have a Worker import a file": `
    return await inWorker("import secret from " + JSON.stringify("file://" + T.secretFile) + " with { type: 'json' }; postMessage(secret.secret)")`,
  "have a Worker of node read": `
    return await inNodeWorker("try { parentPort.postMessage(require('node:fs').readFileSync(" + JSON.stringify(T.secretFile) + ", 'utf8')) } catch (error) { parentPort.postMessage('refused ' + error) }")`,
  "have a Worker of node with options": `
    return await inNodeWorker("parentPort.postMessage('started')", { execArgv: ["-A"] })`,
  "have a Worker of node start a program": `
    return await inNodeWorker("try { parentPort.postMessage(require('node:child_process').execFileSync('/bin/sh', ['-c', 'id']).toString()) } catch (error) { parentPort.postMessage('refused ' + error) }")`,
  "have a Worker of node load a library": `
    return await inNodeWorker("try { Deno.dlopen('libc.so.6', {}); parentPort.postMessage('loaded') } catch (error) { parentPort.postMessage('refused ' + error) }")`,
  "leave by a context of node:vm": `
    return vm.runInNewContext("read(path)", { read: (path) => Deno.readTextFileSync(path), path: T.secretFile })`,
  "leave by a module of node:vm":
    `return vm.runInThisContext("Deno.readTextFileSync(" + JSON.stringify(T.secretFile) + ")")`,

  "learn the machine's variables": `
    const { TARGETS, ISOLA_PROJECT, DENO_DEPLOYMENT_ID, DENO_REGION, ...others } = { ...Deno.env.toObject(), ...process.env };
    const names = Object.keys(others); return names.length ? names : refuse("none")`,
  "learn of secrets by arguments": `
    const text = [...Deno.args, ...process.argv, ...process.execArgv].join(" ");
    return text.includes("do-not-leak") || text.includes("TARGETS") ? text : refuse("none")`,
  "learn the machine's interfaces": `
    const names = [Deno.networkInterfaces(), Object.values(os.networkInterfaces())].flat(2)
      .map(({ address, mac }) => address + mac);
    return names.every((name) => name === "127.0.0.100:00:00:00:00:00") ? refuse("one of its own") : names`,
  "learn the machine's load": `return Deno.loadavg()`,
  "learn the machine's name":
    `const name = Deno.hostname(); return name === "localhost" ? refuse("a name of its own") : name`,
  "download a package": `return Object.keys(await import(["npm", "left-pad@1.3.0"].join(":")))`,
  "download a package of JSR": `return Object.keys(await import(["jsr", "@std/path"].join(":")))`,
  "download a module": `return Object.keys(await import("http://127.0.0.1:" + T.port + "/module.js"))`,
});
