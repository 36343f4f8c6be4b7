/** Sockets of `node:net`, and so of `node:tls`, `node:http(s)` and `node:http2`, by way of the egress proxy. */
import process from "node:process";
import { NameNotFoundError, openTunnel } from "./egress_client.ts";
import { nodeBinding } from "./node_binding.ts";
import type { PlaceholderNames } from "./placeholder_names.ts";
import type { Target } from "./socks5.ts";

/** What `node:net` asks of a socket's handle (ext/node/ops/tcp_wrap.rs). */
interface Handle {
  connect(this: Handle, request: ConnectRequest, address: string, port: number): number;
  connect6: Handle["connect"];
  /** Takes over a duplicate of a connection's descriptor. 0 or a negative errno. */
  openFromRid(rid: number): number;
  getpeername(this: Handle, out: object): number;
  [owner: symbol]: Socket | undefined;
}

/** Without `oncomplete`, nobody waits any more. */
interface ConnectRequest {
  address: string;
  oncomplete?: (
    status: number,
    handle: Handle,
    request: ConnectRequest,
    readable: boolean,
    writable: boolean,
  ) => void;
}

interface Socket {
  destroyed: boolean;
  destroy(error: Error): void;
  once(event: "close", listener: () => void): void;
}

const ERRNO = nodeBinding<{ os: { errno: Record<string, number> } }>("constants").os.errno;
/** libuv's UV_EAI_NONAME. */
const NO_NAME = -3008;

/** Replaces how they connect, from now on. */
export function routeNodeSockets(proxy: Target, names: PlaceholderNames): void {
  const { prototype } = nodeBinding<{ TCP: { prototype: Handle } }>("tcp_wrap").TCP;
  const { ownerSymbol } = nodeBinding<{ ownerSymbol: symbol }>("symbols");
  const { getpeername } = prototype;
  const remotes = new WeakMap<Handle, Target>();

  prototype.connect = prototype.connect6 = function (request, address, port) {
    request.address = names.hostnameOf(address);
    void connect(this, request, { hostname: request.address, port });
    return 0;
  };

  prototype.getpeername = function (out) {
    const remote = remotes.get(this);
    if (remote === undefined) return getpeername.call(this, out);
    const family = remote.hostname.includes(":") ? "IPv6" : "IPv4";
    Object.assign(out, { address: remote.hostname, port: remote.port, family });
    return 0;
  };

  async function connect(handle: Handle, request: ConnectRequest, target: Target) {
    const socket = handle[ownerSymbol];
    const closed = new AbortController();
    socket?.once("close", () => closed.abort());
    try {
      const { conn, remote } = await openTunnel(proxy, target, closed.signal);
      // Not before: closing it would end the direction of writing for the duplicate as well.
      closed.signal.addEventListener("abort", () => conn[Symbol.dispose]());
      if (socket?.destroyed || !request.oncomplete) return conn[Symbol.dispose]();
      remotes.set(handle, remote);
      complete(handle.openFromRid(ridOf(conn)));
    } catch (error) {
      if (!socket?.destroyed) fail(error as Error & { code?: string });
    }

    /** On a tick of its own, where what a listener throws is nobody else's. */
    function complete(status: number) {
      const ok = status === 0;
      process.nextTick(() => request.oncomplete?.(status, handle, request, ok, ok));
    }

    function fail(error: Error & { code?: string }) {
      const errno = ERRNO[error.code ?? ""];
      if (errno !== undefined || !socket) complete(-(errno ?? ERRNO.EACCES!));
      else socket.destroy(error instanceof NameNotFoundError ? lookupError(error.hostname) : error);
    }
  }
}

function ridOf(conn: Deno.Conn): number {
  const { internal } = Deno as unknown as { internal: symbol };
  const { core } = (Deno as unknown as Record<symbol, { core: { internalRidSymbol: symbol } }>)[internal]!;
  return (conn as unknown as Record<symbol, number>)[core.internalRidSymbol]!;
}

/** As `node:net` fails when a name is not known. */
function lookupError(hostname: string): Error {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), {
    errno: NO_NAME,
    code: "ENOTFOUND",
    syscall: "getaddrinfo",
    hostname,
  });
}
