import { setTimeout as pause } from "node:timers/promises";
import { Connection } from "./connection.ts";
import type { EgressUsage } from "./contract.ts";
import type { Gateway } from "./gateway.ts";
import type { EgressLimits } from "./limits.ts";
import { TokenBucket } from "./token_bucket.ts";
import type { Turns } from "./turns.ts";

/** When accepting fails, as for want of descriptors. */
const ACCEPT_RETRY_MS = 100;

/** How many connections all sandboxes have. */
export interface ConnectionCount {
  open: number;
}

/** What {@linkcode SandboxEgress} runs by. */
export interface SandboxEgressOptions {
  id: string;
  socketPath: string;
  gateway: Gateway;
  limits: EgressLimits;
  turns: Turns;
  total: ConnectionCount;
}

/** The way out of one sandbox: listens on its socket and keeps its bounds. */
export class SandboxEgress {
  readonly usage: EgressUsage;
  readonly gateway: Gateway;
  readonly #options: SandboxEgressOptions;
  readonly #listener: Deno.UnixListener;
  readonly #rate: TokenBucket;
  readonly #connections = new Map<Connection, Promise<void>>();
  readonly #ended = new AbortController();
  readonly #accepting: Promise<void>;

  /** @throws {Deno.errors.AddrInUse | Error} It cannot listen there. */
  constructor(options: SandboxEgressOptions) {
    const { id, socketPath, gateway, limits } = options;
    this.usage = { id, ingressBytes: 0, egressBytes: 0, connections: 0, refused: 0 };
    this.gateway = gateway;
    this.#options = options;
    this.#rate = new TokenBucket(limits.connectionsPerSecond, limits.connectionBurst);
    this.#listener = Deno.listen({ transport: "unix", path: socketPath });
    // The sandbox has a user of its own; nobody else gets at the socket's directory.
    Deno.chmodSync(socketPath, 0o666);
    this.#accepting = this.#accept();
  }

  /** Ends all. The usage is final then. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#listener.close();
    for (const connection of this.#connections.keys()) connection.close();
    await Promise.all([this.#accepting, ...this.#connections.values()]);
    try {
      Deno.removeSync(this.#options.socketPath);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #accept(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      let pauseMs = 0;
      try {
        if (this.#admit(await this.#listener.accept())) continue;
        // Whoever is past a bound is attended to at this rate: further ones wait in the kernel, at their own cost.
        pauseMs = this.#options.limits.refusalPauseMs;
      } catch (error) {
        if (signal.aborted) return;
        console.error(`Cannot accept an egress connection of "${this.usage.id}":`, error);
        pauseMs = ACCEPT_RETRY_MS;
      }
      // Cut short when all ends.
      await pause(pauseMs, null, { signal }).catch(() => {});
    }
  }

  /** Starts serving a connection; false = only to refuse what it asks for. */
  #admit(client: Deno.Conn): boolean {
    const { limits, total } = this.#options;
    const most = Math.min(limits.connections, limits.totalConnections - total.open);
    const admitted = this.#connections.size < most && this.#rate.take();
    if (!admitted) this.usage.refused++;
    const connection = new Connection(client, { ...this.#options, usage: this.usage });
    total.open++;
    const served = connection.run(!admitted)
      .catch((error) => console.error(`Egress connection of "${this.usage.id}" ended:`, error))
      .finally(() => {
        total.open--;
        this.#connections.delete(connection);
      });
    this.#connections.set(connection, served);
    return admitted;
  }
}
