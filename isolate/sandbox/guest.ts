/**
 * The Worker that becomes the tenant: it serves its socket and rehearses while it is blank; then it is given a program,
 * closes what the program may not have, and imports it. After that import nothing in here can be relied on.
 */
import {
  type AssignMessage,
  encodeLine,
  type FromSandbox,
  type PrepareMessage,
  readLines,
  type ToSandbox,
  unixChunks,
} from "../protocol.ts";
import { counted, pendingWork, trackBackgroundWork } from "./background.ts";
import { closeDoors } from "./doors.ts";
import { captureConsole, captureUncaught, describeError } from "./console.ts";
import { captureExit, type Post } from "./exit.ts";
import { publishNestedSetup } from "./nested_setup.ts";
import { setUpWorkers } from "./nested_workers.ts";
import { hideMachine } from "./node_os.ts";
import { bindNodeServers } from "./node_server.ts";
import { routeOutbound } from "./outbound.ts";
import { ownSurroundings } from "./own_surroundings.ts";
import { type Served, startServing } from "./serve.ts";

/** How long a program may do nothing at all after its last module ran, before it counts as one that never serves. */
const QUIET_MS = 1_000;
const QUIET_POLL_MS = 50;

const scope = self as unknown as { onmessage: unknown; postMessage?: Post };
const post: Post = scope.postMessage!.bind(self);
const { setTimeout } = globalThis;
let served: Served;
let appDir = "";
let shared = false;
/** Not a part of this module: most servers have no need of it. */
let provided: typeof import("./provided_guest.ts") | undefined;

scope.onmessage = ({ data }: MessageEvent) => {
  if (data.type === "prepare") void prepare(data);
  else if (data.type === "pending") post({ type: "pending", id: data.id, count: pendingWork() });
};

async function prepare(message: PrepareMessage) {
  ({ appDir, shared } = message);
  const { controlSocket, httpSocket, nodeSocket } = message;
  const keeper = await Deno.connect({ transport: "unix", path: controlSocket });
  const ready = (message: FromSandbox) => void keeper.write(encodeLine(message)).catch(() => {});
  const proxy = message.proxy && { hostname: message.proxy.hostname, port: message.proxy.port };
  if (proxy !== undefined) routeOutbound(proxy);
  served = startServing(httpSocket, (message) => message.type === "ready" ? ready(message) : post(message));
  bindNodeServers(nodeSocket, served, post);
  for (const path of [controlSocket, httpSocket, nodeSocket]) dropSocketPermissions(path);
  captureConsole(post, appDir);
  captureExit(post);
  setUpWorkers(publishNestedSetup(proxy));
  trackBackgroundWork();
  hideMachine();
  if (!shared) emptyEnvironment();
  captureUncaught(post, appDir);
  delete scope.postMessage;
  closeDoors();
  served.open();
  if (message.moduleIndex) {
    provided = await importOnce<NonNullable<typeof provided>>("./provided_guest.js");
    await provided.rehearse();
  }
  await importOnce("./rehearsal.js");
  post({ type: "prepared" });
  let program: AssignMessage | undefined;
  for await (const line of readLines(unixChunks(keeper))) {
    const message = JSON.parse(line) as ToSandbox;
    if (message.type === "assign") assign(program = message);
    else return await start(program!);
  }
}

function assign({ env }: AssignMessage) {
  if (shared) ownSurroundings({ env, name: appDir });
  else for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
}

async function start({ entry, modules, files }: AssignMessage) {
  let present = (text: string) => text;
  try {
    if (modules !== undefined) present = provided!.provide({ modules, files, appDir, post, counted, served });
    // Computed, so that the whole graph pays with this Worker's permissions.
    const module = await import(entry);
    post({ type: "evaluated" });
    if (!served.taken && typeof module.default?.fetch === "function") served.serveDefault(module.default);
    if (!served.taken) await serveOrFail();
  } catch (error) {
    const message = present(describeError(error, appDir));
    // What serves already was answered for: it ends as any program that does not catch its error.
    post(
      served.taken ? { type: "exit", code: 1, message: `Uncaught ${message}` } : { type: "failed", message },
    );
  }
}

/** The environment is the program's own and nothing else, from the first line of its first module. */
function emptyEnvironment() {
  for (const name of Object.keys(Deno.env.toObject())) Deno.env.delete(name);
}

/** A module of ours, which cannot be read afterwards. The last is like a program's, so that what loads one has run before. */
async function importOnce<T>(name: string): Promise<T> {
  const path = new URL(name, import.meta.url);
  const module = await import(path.href);
  Deno.permissions.revokeSync({ name: "read", path });
  return module;
}

/** The socket is served already, so nobody in here needs to open, remove or replace it any more. */
function dropSocketPermissions(path: string) {
  for (const name of ["read", "write"] as const) Deno.permissions.revokeSync({ name, path });
  Deno.permissions.revokeSync({ name: "net", host: `unix:${path}` });
}

/** A program may start to serve later (after a timer, a fetch); one that waits for nothing never will. */
async function serveOrFail() {
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += QUIET_POLL_MS) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_POLL_MS));
    if (served.taken) return;
    if (pendingWork() > 0) quietMs = 0;
  }
  post({
    type: "failed",
    message: "The program ended without serving: call Deno.serve(…), export default { fetch }, " +
      "or listen with a node:http server",
  });
}
