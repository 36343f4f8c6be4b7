import {
  encodeLine,
  type FromSandbox,
  type LimitMessage,
  type PrepareMessage,
  readLines,
  type ToSandbox,
} from "../protocol.ts";
import { startForwarder } from "./forwarder.ts";

/** What is done around a guest, by whether it has the process for itself. */
export interface HostGuestOptions {
  /** Path of the socket at which its keeper waits. */
  control: string;
  /** Before its Worker is started. */
  prepare(message: PrepareMessage): void;
  /** When it has all that it opens, and before its keeper hears of it. */
  prepared?(): void;
  /** When it must not use more than it is told. */
  limit?(message: LimitMessage): void;
  /** Ends it. */
  signal?: AbortSignal;
}

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

/** Of ours, those that the guest reads and then may not read any more. */
const OWN_FILES = ["rehearsal.js", "nested_guest.js"];

type Send = (message: FromSandbox) => void;

/**
 * Starts the Worker that carries one tenant, as its keeper says, and passes messages until the keeper's connection ends. A
 * Worker that is busy does not stop then.
 */
export async function hostGuest(options: HostGuestOptions): Promise<void> {
  const { control, prepare, prepared, limit, signal } = options;
  const ended = new AbortController();
  const keeper = await Deno.connect({ transport: "unix", path: control });
  const disconnect = () => keeper[Symbol.dispose]();
  const toKeeper = keeper.writable.getWriter();
  const send: Send = (message) => void toKeeper.write(encodeLine(message)).catch(disconnect);
  let guest: Worker | undefined;
  signal?.addEventListener("abort", disconnect, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const line of readLines(keeper.readable)) {
      const message = JSON.parse(line) as ToSandbox;
      if (message.type === "prepare") {
        prepare(message);
        if (message.proxy !== undefined) startForwarder({ ...message.proxy, signal: ended.signal });
        guest = startGuest(message, send, prepared);
      } else if (message.type === "limit") limit?.(message);
      else guest!.postMessage(message);
    }
  } finally {
    ended.abort();
    guest?.terminate();
    disconnect();
  }
}

function startGuest(message: PrepareMessage, send: Send, prepared: HostGuestOptions["prepared"]): Worker {
  const sockets = [message.controlSocket, message.httpSocket, message.nodeSocket];
  const ownFiles = message.moduleIndex ? [...OWN_FILES, "provided_guest.js"] : OWN_FILES;
  const worker = new Worker(new URL("./guest.js", import.meta.url), {
    type: "module",
    deno: {
      permissions: {
        read: [
          message.appDir,
          ...sockets,
          ...ownFiles.map((name) => new URL(`./${name}`, import.meta.url).pathname),
        ],
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
  worker.onmessage = async ({ data }) => {
    if (data?.type !== "prepared") return pass(data, send);
    await rehearse(message.httpSocket);
    prepared?.();
    send({ type: "blank" });
  };
  worker.onerror = (event) => {
    event.preventDefault();
    send({ type: "exit", code: 1, message: text(event.message) });
  };
  worker.postMessage(message);
  return worker;
}

const text = (value: unknown) => String(value).slice(0, MAX_TEXT);

/** A tenant can post what it likes from its Worker: only known messages of known shape go on. */
function pass(data: Record<string, unknown>, send: Send) {
  switch (data?.type) {
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
    case "file":
      return send({
        type: "file",
        id: Number(data.id) | 0,
        path: text(data.path),
        content: data.content === true,
      });
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
