/** Binds the first `node:http` server that listens, wherever it wants to, to the isolate's second socket. */
import http from "node:http";
import { nodeBinding } from "./node_binding.ts";
import type { Post } from "./exit.ts";
import { forwardedFor, type Served } from "./serve.ts";

type Listen = (...args: unknown[]) => http.Server;

/** A handle of `node:net`. */
interface PipeHandle {
  bind(path: string): number;
  listen(backlog: number): number;
}

interface PipeBinding {
  Pipe: new (type: number) => PipeHandle;
  constants: { SERVER: number };
}

const BACKLOG = 511;

/** The socket is there, and accepts, before there is a program, which then needs no power to make one. */
function listenEarly(path: string): PipeHandle {
  const { Pipe, constants } = nodeBinding<PipeBinding>("pipe_wrap");
  const pipe = new Pipe(constants.SERVER);
  const failed = pipe.bind(path) || pipe.listen(BACKLOG);
  if (failed) throw new Error(`Cannot listen at "${path}": error ${failed}`);
  pipe.listen = () => 0;
  return pipe;
}

/** Listens at `path`, and replaces `listen` of every `node:http` server from now on: the first one gets what comes there. */
export function bindNodeServers(path: string, served: Served, post: Post): void {
  const pipe = listenEarly(path);
  const prototype = http.Server.prototype as unknown as { listen: Listen };
  const { listen } = prototype;
  let boundPort: number | undefined;
  prototype.listen = function (this: http.Server, ...args: unknown[]) {
    const callback = args.findLast((arg) => typeof arg === "function") as (() => void) | undefined;
    const port = requestedPort(args);
    presentAs(this, port);
    if (served.taken || boundPort !== undefined) {
      // Frameworks open a server for each address of "localhost": that is still the first one.
      if (port !== boundPort) {
        console.warn("Only the first server of a deployment gets requests: this node:http server gets none");
      }
      if (callback) this.once("listening", callback);
      queueMicrotask(() => this.emit("listening"));
      return this;
    }
    boundPort = port; // At once: that it listens is said only later.
    // Idle connections are the runner's: closing one under it would race with its next request.
    this.keepAliveTimeout = 0;
    this.requestTimeout = 0;
    this.once("listening", () => served.take("node"));
    this.once("close", () => post({ type: "exit", code: 0 }));
    return listen.call(this, pipe, callback);
  };
}

function requestedPort(args: unknown[]): number {
  const [first] = args;
  const port = typeof first === "object" && first !== null ? (first as { port?: unknown }).port : first;
  return Number(port) || 8000;
}

/** To the program the server is one on TCP whose requests come from the visitor, in origin form. */
function presentAs(server: http.Server, port: number) {
  server.address = () => ({ address: "0.0.0.0", family: "IPv4", port });
  const emit = server.emit as (event: string, ...args: unknown[]) => boolean;
  server.emit = function (this: http.Server, event: string, ...args: unknown[]) {
    if (event === "request" || event === "upgrade" || event === "checkContinue") {
      presentRequest(args[0] as http.IncomingMessage);
    }
    return emit.call(this, event, ...args);
  } as typeof server.emit;
}

function presentRequest(request: http.IncomingMessage) {
  const authority = request.url!.indexOf("://");
  if (authority > 0) {
    const path = request.url!.indexOf("/", authority + 3);
    request.url = path === -1 ? "/" : request.url!.slice(path);
  }
  const { hostname, port } = forwardedFor(request.headers.forwarded ?? null);
  Object.defineProperties(request.socket, {
    remoteAddress: { value: hostname, configurable: true },
    remotePort: { value: port, configurable: true },
  });
}
