/**
 * The main isolate of a sandbox's process: our code, but in a process that the tenant's code may take over, so it holds
 * nothing of value. It starts the Worker that carries the tenant, passes messages, and ends the process with its keeper.
 */
import {
  type AssignMessage,
  encodeLine,
  type FromSandbox,
  type PrepareMessage,
  readLines,
  type ToSandbox,
} from "../protocol.ts";
import { confine } from "./confine.ts";
import { startForwarder } from "./forwarder.ts";

const REHEARSALS = 20;
const MAX_TEXT = 16 * 1024;
/** What many packages ask for when they are loaded. */
const HARMLESS_SYSTEM_INFORMATION = [
  "cpus",
  "homedir",
  "osRelease",
  "systemMemoryInfo",
  "uid",
  "gid",
] as const;

const keeper = await Deno.connect({ transport: "unix", path: Deno.env.get("CONTROL_SOCKET")! });
const toKeeper = keeper.writable.getWriter();
let guest: Worker;
let prepared: PrepareMessage;
let limitData: ((bytes: number) => void) | undefined;

function send(message: FromSandbox) {
  toKeeper.write(encodeLine(message)).catch(() => Deno.exit(1));
}

/** What the tenant must not be able to do is out of this process's reach before there is a tenant. */
function prepare(message: PrepareMessage) {
  prepared = message;
  if (message.confinement === undefined) Deno.permissions.revokeSync({ name: "ffi" });
  else {
    const { filterFile, ...limits } = message.confinement;
    const filter = filterFile && Deno.readFileSync(new URL(`./${filterFile}`, import.meta.url));
    ({ limitData } = confine({ ...limits, filter: filter || undefined }));
  }
  if (message.proxy !== undefined) startForwarder(message.proxy);
  guest = startGuest(message);
}

function startGuest(message: PrepareMessage): Worker {
  const sockets = [message.httpSocket, message.nodeSocket];
  const worker = new Worker(new URL("./guest.js", import.meta.url), {
    type: "module",
    deno: {
      permissions: {
        read: [message.appDir, ...sockets],
        write: sockets,
        net: message.net === true ? true : [...message.net, ...sockets.map((path) => `unix:${path}`)],
        env: true,
        sys: [...HARMLESS_SYSTEM_INFORMATION],
        run: false,
        ffi: false,
        import: false,
      },
    },
  });
  worker.onmessage = ({ data }) => void receive(data);
  worker.onerror = (event) => {
    event.preventDefault();
    send({ type: "exit", code: 1, message: text(event.message) });
  };
  worker.postMessage(message);
  return worker;
}

const text = (value: unknown) => String(value).slice(0, MAX_TEXT);

/** A tenant can post what it likes from its Worker: only known messages of known shape go on. */
async function receive(data: Record<string, unknown>) {
  switch (data?.type) {
    case "prepared":
      await rehearse(prepared.httpSocket);
      return send({ type: "blank" });
    case "ready":
      return send({ type: "ready", socket: data.socket === "node" ? "node" : "http" });
    case "evaluated":
      return send({ type: "evaluated" });
    case "failed":
      return send({ type: "failed", message: text(data.message) });
    case "exit":
      return send({
        type: "exit",
        code: Number(data.code) | 0,
        message: data.message === undefined ? undefined : text(data.message),
      });
    case "log":
      return send({ type: "log", level: data.level as "info", message: text(data.message) });
    case "dropped":
      return send({ type: "dropped", count: Number(data.count) | 0 });
    case "pending":
      return send({ type: "pending", id: Number(data.id) | 0, count: Number(data.count) | 0 });
  }
}

/** Serves a few requests of its own, so that the runtime's lazy code is compiled before a visitor waits for it. */
async function rehearse(path: string) {
  using connection = await Deno.connect({ transport: "unix", path });
  const request = new TextEncoder().encode("GET http://rehearsal/ HTTP/1.1\r\nhost: rehearsal\r\n\r\n");
  const buffer = new Uint8Array(1024);
  for (let i = 0; i < REHEARSALS; i++) {
    await connection.write(request);
    await connection.read(buffer);
  }
}

function assign(message: AssignMessage) {
  if (message.maxDataBytes !== undefined) limitData?.(message.maxDataBytes);
  Deno.chdir(prepared.appDir);
  guest.postMessage(message);
}

try {
  for await (const line of readLines(keeper.readable)) {
    const message = JSON.parse(line) as ToSandbox;
    if (message.type === "prepare") prepare(message);
    else if (message.type === "assign") assign(message);
    else guest!.postMessage(message);
  }
} finally {
  // The keeper is gone: so is the reason to live. `exit` ends a busy Worker too, `terminate` would not.
  Deno.exit(0);
}
