/** `Deno.connect`, `Deno.connectTls`, `Deno.startTls` and `Deno.resolveDns` by way of the egress proxy. */
import { DnsError, netAccessError, openTunnel, resolveName } from "./egress_client.ts";
import type { Target } from "./socks5.ts";
import { splice } from "./splice.ts";

type ConnectOptions = Deno.ConnectOptions & { transport?: string };
type ConnectTlsOptions = Deno.ConnectTlsOptions & Partial<Deno.TlsCertifiedKeyPem>;

/** How `Deno.connectTls` is told a name to verify that is not the host it connects to (ext/net/02_tls.js). */
const SERVER_NAME = Symbol.for("unstableServerName");

/** Replaces them from now on. */
export function routeDeno(proxy: Target): void {
  const runtime = {
    connect: Deno.connect,
    connectTls: Deno.connectTls,
    startTls: Deno.startTls,
    listen: Deno.listen,
  };

  async function connect(options: ConnectOptions): Promise<Deno.Conn> {
    const target = targetOf(options);
    // A unix socket, or what the runtime refuses.
    if ((options.transport ?? "tcp") !== "tcp" || target === null) return await runtime.connect(options);
    options.signal?.throwIfAborted();
    const { conn, remote } = await openTunnel(proxy, target, options.signal);
    return presentRemote(conn, { transport: "tcp", ...remote });
  }

  async function connectTls(options: ConnectTlsOptions): Promise<Deno.TlsConn> {
    const target = targetOf(options);
    if (target === null) return await runtime.connectTls(options);
    const { conn, remote } = await openTunnel(proxy, target);
    const secured = options.cert === undefined && options.key === undefined
      ? await runtime.startTls(conn, { ...options, hostname: target.hostname })
      : await connectCertified(options, target.hostname, conn);
    return presentRemote(secured, { transport: "tcp", ...remote });
  }

  /**
   * `Deno.startTls` takes no certificate of the client's. `Deno.connectTls` does, but can only be told where to connect
   * to: to the near end of a relay.
   */
  async function connectCertified(options: ConnectTlsOptions, serverName: string, conn: Deno.Conn) {
    using listener = runtime.listen({ hostname: "127.0.0.1", port: 0 });
    const near = listener.accept();
    try {
      const secured = await runtime.connectTls(
        { ...options, ...listener.addr, [SERVER_NAME]: serverName } as Deno.ConnectTlsOptions,
      );
      void splice(await near, conn);
      return secured;
    } catch (error) {
      near.catch(() => {});
      conn.close();
      throw error;
    }
  }

  async function startTls(conn: Deno.TcpConn, options?: Deno.StartTlsOptions): Promise<Deno.TlsConn> {
    const { remoteAddr } = conn;
    return presentRemote(await runtime.startTls(conn, options), remoteAddr);
  }

  /** Whichever name server is asked for, it is the proxy that answers. */
  async function resolveDns(name: string, type: string, options?: Deno.ResolveDnsOptions) {
    options?.signal?.throwIfAborted();
    try {
      return await resolveName(proxy, name, type, options?.signal);
    } catch (error) {
      throw error instanceof DnsError ? presentDnsError(error, name) : error;
    }
  }

  Object.assign(Deno, { connect, connectTls, startTls, resolveDns });
}

function targetOf({ hostname = "127.0.0.1", port }: { hostname?: string; port: number }): Target | null {
  const number = Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) return null;
  return { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port: number };
}

/** The other end is the target, not the proxy. */
function presentRemote<T extends Deno.Conn>(conn: T, remoteAddr: Deno.Addr): T {
  return Object.defineProperty(conn, "remoteAddr", { value: remoteAddr, configurable: true });
}

function presentDnsError(error: DnsError, name: string): Error {
  switch (error.code) {
    case "ENOTFOUND":
      return new Deno.errors.NotFound(error.message);
    case "EREFUSED":
      return netAccessError(name);
    case "ETIMEOUT":
      return new Deno.errors.TimedOut(error.message);
    case "EBADQUERY":
      return new TypeError(error.message);
  }
}
