import { splice } from "./splice.ts";

/** What {@linkcode startForwarder} listens on and forwards to. */
export interface ForwarderOptions {
  /**
   * An address of the sandbox's own loopback interface.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string;
  /** 0 = any. */
  port: number;
  /** Path of the unix socket that the egress proxy serves. */
  egressSocket: string;
  /** Ends it; else it ends with the process. */
  signal?: AbortSignal;
}

/** Connections at a time; one more is closed at once. */
const MAX_CONNECTIONS = 256;
/** After a failure to accept, as for want of descriptors. */
const ACCEPT_RETRY_MS = 100;

/**
 * Carries every TCP connection to this sandbox's loopback interface, byte by byte, to the egress proxy: the runtime's
 * clients can reach a port, not a unix socket.
 *
 * @returns the port
 * @throws {Deno.errors.AddrInUse}
 */
export function startForwarder(
  { hostname = "127.0.0.1", port, egressSocket, signal }: ForwarderOptions,
): number {
  const listener = Deno.listen({ hostname, port });
  signal?.addEventListener("abort", () => listener.close(), { once: true });
  void acceptAll(listener, egressSocket, signal);
  return listener.addr.port;
}

async function acceptAll(listener: Deno.TcpListener, egressSocket: string, signal?: AbortSignal) {
  let connections = 0;
  while (!signal?.aborted) {
    let client: Deno.TcpConn;
    try {
      client = await listener.accept();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      continue;
    }
    if (connections === MAX_CONNECTIONS) client.close();
    else {
      connections++;
      void forward(client, egressSocket).finally(() => connections--);
    }
  }
}

/** Never rejects. */
async function forward(client: Deno.TcpConn, egressSocket: string) {
  try {
    client.setNoDelay();
    await splice(client, await Deno.connect({ transport: "unix", path: egressSocket }));
  } catch {
    // The proxy is gone, or there are no descriptors.
    client[Symbol.dispose]();
  }
}
