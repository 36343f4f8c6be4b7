/** Binds the first `node:http` server that listens, wherever it wants to, to the isolate's second socket. */
import type http from "node:http";
import process from "node:process";
import { nodeBinding } from "./node_binding.ts";
import type { Post } from "./exit.ts";
import { forwardedFor, type Served } from "./serve.ts";

/** A handle of `node:net`, to listen with. */
interface Handle {
  bind(path: string): number;
  listen(backlog: number): number;
  close?(): void;
  [owner: symbol]: http.Server;
}

type HandleClass = new (kind: number) => Handle;

interface PipeBinding {
  Pipe: HandleClass;
  constants: { SERVER: number };
}

/** What `node:net` asks the name of an address to listen at with (ext/node/polyfills/net.ts, `_lookupAndListen`). */
interface LookupRequest {
  callback?: { name: string };
  oncomplete(error: number, addresses: string[]): void;
}

interface LookupBinding {
  getaddrinfo(request: LookupRequest, ...rest: unknown[]): number;
}

const BACKLOG = 511;
/** libuv's UV_EACCES. */
const NO_ACCESS = -13;
const DEFAULT_PORT = 8_000;
const ANY_ADDRESS = "0.0.0.0";

/**
 * Listens at `path`, and makes every handle that a server is to listen with from now on: the first `node:http` server gets
 * what comes there, others nothing, and other kinds of servers may not listen. It is done below `node:http`, which takes
 * 1.2 MB, so that only programs that import it load it.
 */
export function bindNodeServers(path: string, served: Served, post: Post): void {
  const { Pipe, constants: { SERVER } } = nodeBinding<PipeBinding>("pipe_wrap");
  const { ownerSymbol } = nodeBinding<{ ownerSymbol: symbol }>("symbols");
  const pipe = listenEarly(new Pipe(SERVER), path);
  let boundPort: number | undefined;
  const isFree = () => !served.taken && boundPort === undefined;

  const takeSeat = (server: http.Server, port: number) => {
    boundPort = port; // At once: that it listens is said only later.
    delete pipe.close;
    // Idle connections are the runner's: closing one under it would race with its next request.
    server.keepAliveTimeout = 0;
    server.requestTimeout = 0;
    server.prependOnceListener("listening", () => served.take("node"));
    server.once("close", () => post({ type: "exit", code: 0 }));
  };

  const serverHandle = () => {
    const handle = isFree() ? pipe : new Pipe(SERVER);
    let port = DEFAULT_PORT;
    const bind = (_address: string, wanted?: number) => {
      port = wanted || DEFAULT_PORT;
      return 0;
    };
    const listen = () => {
      const server = handle[ownerSymbol]!;
      // Not asked for before: the mere function takes 0.3 MB.
      const { Server } = process.getBuiltinModule("node:http");
      if (!(server instanceof Server)) return NO_ACCESS;
      presentAs(server, port);
      if (handle === pipe && isFree()) takeSeat(server, port);
      // Frameworks open a server for each address of "localhost": that is still the first one.
      else if (port !== boundPort) {
        console.warn("Only the first server of a deployment gets requests: this node:http server gets none");
      }
      return 0;
    };
    return Object.assign(handle, { bind, bind6: bind, bindWithFlags: bind, listen });
  };

  makeServerHandles("tcp_wrap", "TCP", serverHandle);
  makeServerHandles("pipe_wrap", "Pipe", serverHandle);
  skipLookups();
}

/** The socket is there, and accepts, before there is a program, which then needs no power to make one. */
function listenEarly(pipe: Handle, path: string): Handle {
  const failed = pipe.bind(path) || pipe.listen(BACKLOG);
  if (failed) throw new Error(`Cannot listen at "${path}": error ${failed}`);
  // A server that may not listen closes what it was given.
  pipe.close = () => {};
  return pipe;
}

/** `node:net` takes the class from its binding when it is loaded, which nobody has done yet. */
function makeServerHandles(binding: string, name: string, make: () => Handle) {
  const classes = nodeBinding<Record<string, HandleClass> & { constants: { SERVER: number } }>(binding);
  const { SERVER } = classes.constants;
  classes[name] = new Proxy(classes[name]!, {
    construct: (target, [kind], newTarget) =>
      kind === SERVER ? make() : Reflect.construct(target, [kind], newTarget),
  });
}

/** Wherever a server wants to listen, it needs no address for it. */
function skipLookups() {
  const binding = nodeBinding<LookupBinding>("cares_wrap");
  const { getaddrinfo } = binding;
  binding.getaddrinfo = (request, ...rest) => {
    if (request.callback?.name !== "doListen") return getaddrinfo(request, ...rest);
    queueMicrotask(() => request.oncomplete(0, [ANY_ADDRESS]));
    return 0;
  };
}

/** To the program the server is one on TCP whose requests come from the visitor, in origin form. */
function presentAs(server: http.Server, port: number) {
  server.address = () => ({ address: ANY_ADDRESS, family: "IPv4", port });
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
