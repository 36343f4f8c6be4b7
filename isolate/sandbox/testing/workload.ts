/** A bit of everything that a program may ask of Deno, in the process that imports it. Throws when something does not work. */
import assert from "node:assert/strict";
import { once } from "node:events";
import dgram from "node:dgram";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { pbkdf2 } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";

/** Runs it; files are made in `dir`. `sockets`: which the process may have, as of its seccomp program. */
export async function runWorkload(dir: string, sockets: "ipv4" | "tcp4"): Promise<void> {
  await workers();
  await files(dir);
  await database(dir);
  await webServers(dir);
  await nodeServers();
  if (sockets === "ipv4") await datagrams();
  await cryptography();
  await webAssembly();
  machine();
}

async function workers() {
  const code = `
    const memory = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(memory, 0, 0, 10);
    self.postMessage(structuredClone(new Map([[1, new Uint8Array(1e6).length]])).get(1));`;
  for (let i = 0; i < 4; i++) {
    const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
    const [{ data }] = await once(worker, "message") as [MessageEvent];
    assert.equal(data, 1e6);
    worker.terminate();
  }
}

async function files(dir: string) {
  const path = join(dir, "file");
  using watcher = Deno.watchFs(dir);
  await Deno.writeTextFile(path, "hello");
  const events = watcher[Symbol.asyncIterator]();
  assert.equal((await events.next()).done, false);
  await Deno.link(path, path + "2");
  await Deno.remove(path + "2");
  await Deno.writeTextFile(path + "2", "hello");
  await Deno.rename(path + "2", path + "3");
  await Deno.symlink(path, path + "4");
  await Deno.truncate(path + "3", 2);
  assert.equal(await Deno.readTextFile(path + "3"), "he");
  using file = await Deno.open(path, { read: true, write: true });
  await file.lock(true);
  await file.syncData();
  await file.utime(1, 1);
  assert.equal((await Deno.stat(path)).mtime!.getTime(), 1000);
  assert.equal(Array.from(Deno.readDirSync(dir)).length, 3);
  const temporary = await Deno.makeTempDir({ dir });
  for (const name of [path, path + "3", path + "4", temporary]) await Deno.remove(name, { recursive: true });
}

async function database(dir: string) {
  using database = new DatabaseSync(join(dir, "database"));
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
  assert.equal(database.prepare("SELECT sum(a) AS sum FROM t").get()!.sum, 3);
  const cache = await caches.open("workload");
  await cache.put("http://cache/", new Response("cached"));
  assert.equal(await (await cache.match("http://cache/"))!.text(), "cached");
}

async function webServers(dir: string) {
  const path = join(dir, "http.sock");
  await using unix = Deno.serve({ path, onListen() {} }, () => new Response("unix"));
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  assert.equal(await (await fetch("http://127.0.0.1/", { client })).text(), "unix");
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response("x".repeat(1e6));
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  const { port } = server.addr;
  assert.equal((await (await fetch(`http://127.0.0.1:${port}/`)).text()).length, 1e6);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, "open");
  socket.send("echo");
  const [{ data }] = await once(socket, "message") as [MessageEvent];
  assert.equal(data, "echo");
  socket.close();
  await once(socket, "close");
  assert.equal(unix.addr.path, path);
}

async function nodeServers() {
  const server = http.createServer((_request, response) => response.end("node"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const request = http.get({ port, host: "127.0.0.1", agent: false });
  const [response] = await once(request, "response") as [http.IncomingMessage];
  assert.equal((await response.toArray()).join(""), "node");
  const socket = net.connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  socket.destroy();
  server.close();
  await once(server, "close");
}

async function datagrams() {
  const receiver = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  await once(receiver, "listening");
  const sender = dgram.createSocket("udp4");
  sender.send("datagram", receiver.address().port, "127.0.0.1");
  const [message] = await once(receiver, "message");
  assert.equal(String(message), "datagram");
  receiver.close();
  sender.close();
  assert.throws(() => Deno.networkInterfaces(), /Address family not supported/);
}

async function cryptography() {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
    "sign",
    "verify",
  ]);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, pair.privateKey, new Uint8Array(100));
  assert.equal(signature.byteLength, 64);
  assert.equal((await promisify(pbkdf2)("password", "salt", 10_000, 32, "sha512")).length, 32);
  assert.equal(gunzipSync(gzipSync("x".repeat(1e5))).length, 1e5);
  const compressed = new Blob(["x".repeat(1e5)]).stream().pipeThrough(new CompressionStream("gzip"));
  assert.ok((await new Response(compressed).bytes()).length < 1e4);
}

async function webAssembly() {
  // (module (memory 1) (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
  const code = "0061736d0100000001070160027f7f017f03020100050301000107070103616464000" +
    "00a09010700200020016a0b";
  const bytes = Uint8Array.from(code.match(/../g)!, (hex) => parseInt(hex, 16));
  const { instance } = await WebAssembly.instantiate(bytes);
  assert.equal((instance.exports.add as (a: number, b: number) => number)(1, 2), 3);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1000 });
  assert.equal(memory.grow(500), 1);
}

function machine() {
  assert.ok(navigator.hardwareConcurrency > 0);
  assert.ok(Deno.memoryUsage().rss >= 0);
  assert.ok(os.cpus().length >= 0);
  assert.ok(Deno.cwd().startsWith("/"));
  assert.equal(Deno.execPath().at(0), "/");
}
