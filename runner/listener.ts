import type { ListenAddress } from "./contract.ts";
import { Admission } from "./front/admission.ts";
import type { CertificateTable } from "./front/certificate_table.ts";
import { Front, type Visitor } from "./front/front.ts";
import type { Handler } from "./handler.ts";
import { boundHeldBodies } from "./http2/held_bodies.ts";
import { Http2Connection } from "./http2/http2_connection.ts";
import { startsHttp2 } from "./http2/protocol.ts";
import type { Peer } from "./http1/request_head.ts";
import type { TrustedProxies } from "./front/trusted_proxies.ts";
import { VisitorConnection, type VisitorSocket } from "./http1/visitor_connection.ts";
import type { VisitorLimits } from "./visitor_limits.ts";

const DRAIN_POLL_MS = 20;
/** How often the time limits are looked at: the precision with which they hold. */
const SWEEP_INTERVAL_MS = 1000;
/** How often the idle connections are put in order while all places are taken: that means looking at all. */
const RANK_INTERVAL_MS = 100;

/** Where and how visitors are let in. */
export interface ListenerOptions {
  http: ListenAddress;
  /** `null` = no TLS. */
  https: ListenAddress | null;
  limits: VisitorLimits;
  proxies: TrustedProxies;
  /** Requests may be a relay's. */
  hasRelays: boolean;
  certificates: CertificateTable;
  /** Resolves when an order for a certificate has ended, or at once if there will be none. */
  wantCertificate(hostname: string): Promise<void>;
}

/** A connection of a visitor, whatever it speaks. */
type Connection = VisitorConnection | Http2Connection;

/** Accepts the connections of visitors, has each served, and ends those that take more than they may. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #handler: Handler;
  readonly #http: Front;
  readonly #https: Front | null;
  readonly #connections = new Set<Connection>();
  /** HTTP/2's, each a connection of its own to the handler. */
  readonly #streams = new Set<VisitorConnection>();
  /** To be closed when all places are taken: those that were idle at the last look, the longest idle last. */
  #idle: Connection[] = [];
  #rankedAt = -Infinity;
  readonly #sweeper: ReturnType<typeof setInterval>;

  /** @throws It cannot listen there. */
  constructor(options: ListenerOptions, handler: Handler) {
    this.#options = options;
    this.#handler = handler;
    const admission = new Admission(options.limits, () => this.#evict());
    this.#http = this.#open(options.http, null, admission);
    try {
      this.#https = options.https && this.#open(options.https, options.certificates, admission);
    } catch (error) {
      this.#http.close();
      throw error;
    }
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
  }

  /** As bound. */
  get http(): Deno.NetAddr {
    return this.#http.addr;
  }

  get https(): Deno.NetAddr | null {
    return this.#https?.addr ?? null;
  }

  /**
   * Has responses end their connections, stops accepting after `lingerMs`, and waits until the last request is answered and the
   * last visitor has read its answer; when `signal` aborts, cuts what is left.
   */
  async drain(signal: AbortSignal, lingerMs: number): Promise<void> {
    this.#handler.drain();
    if (lingerMs > 0) {
      this.#drainHttp2();
      await new Promise((resolve) => setTimeout(resolve, lingerMs));
    }
    this.#http.stop();
    this.#https?.stop();
    this.#drainHttp2();
    while (this.#http.size + (this.#https?.size ?? 0) > 0 && !signal.aborted) {
      for (const connection of this.#connections) {
        if (connection instanceof VisitorConnection) connection.retire();
      }
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    clearInterval(this.#sweeper);
    for (const connection of this.#connections) connection.close();
    this.#http.close();
    this.#https?.close();
  }

  #drainHttp2(): void {
    for (const connection of this.#http2()) connection.drain();
  }

  #http2(): Http2Connection[] {
    return [...this.#connections].filter((connection) => connection instanceof Http2Connection);
  }

  #open(address: ListenAddress, tls: CertificateTable | null, admission: Admission): Front {
    const { proxies, wantCertificate } = this.#options;
    return new Front({
      ...address,
      tls,
      admission,
      proxies,
      wantCertificate,
      serve: (visitor) => this.#serve(visitor),
    });
  }

  async #serve(
    { socket, received, peer: { hostname, port, certificate }, protocol }: Visitor,
  ): Promise<void> {
    const { limits, proxies, hasRelays } = this.#options;
    const peer: Peer = { hostname, port, certificate, proxies, hasRelays };
    if (protocol === "h2") return await this.#serveHttp2(socket, received, peer);
    const connection = new VisitorConnection(socket, peer, { limits, received });
    this.#connections.add(connection);
    try {
      if (protocol === null && await speaksHttp2(connection)) {
        this.#connections.delete(connection);
        return await this.#serveHttp2(socket, connection.unread.slice(), peer);
      }
      await this.#handler.serve(connection);
    } catch (error) {
      console.error("Cannot go on with a connection:", error);
      connection.close();
    } finally {
      this.#connections.delete(connection);
    }
  }

  async #serveHttp2(socket: VisitorSocket, received: Uint8Array, peer: Peer): Promise<void> {
    const { limits } = this.#options;
    const serve = (stream: VisitorSocket) => this.#serveStream(stream, peer);
    const connection = new Http2Connection({ socket, received, peer, limits, serve });
    this.#connections.add(connection);
    await connection.run();
    this.#connections.delete(connection);
  }

  async #serveStream(socket: VisitorSocket, peer: Peer): Promise<void> {
    const stream = new VisitorConnection(socket, peer, { limits: this.#options.limits, isHttp2: true });
    this.#streams.add(stream);
    await this.#handler.serve(stream);
    this.#streams.delete(stream);
  }

  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.sweep(now);
    for (const stream of this.#streams) stream.sweep(now);
    boundHeldBodies(this.#http2());
    // Most of them may be over.
    this.#idle = [];
    this.#rankedAt = -Infinity;
  }

  /** Ends the connection that has been idle longest, as far as is known; false = there is none. */
  #evict(): boolean {
    const now = performance.now();
    if (this.#idle.length === 0 && now - this.#rankedAt >= RANK_INTERVAL_MS) {
      this.#rankedAt = now;
      this.#idle = this.#rankIdle();
    }
    for (let connection; (connection = this.#idle.pop()) !== undefined;) {
      if (connection.idleSince === null || !this.#connections.has(connection)) continue;
      connection.close();
      return true;
    }
    return false;
  }

  /** The longest idle last. */
  #rankIdle(): Connection[] {
    const idle: { connection: Connection; since: number }[] = [];
    for (const connection of this.#connections) {
      const since = connection.idleSince;
      if (since !== null) idle.push({ connection, since });
    }
    return idle.sort((one, other) => other.since - one.since).map(({ connection }) => connection);
  }
}

/** Whether a connection begins as HTTP/2 does (by prior knowledge). Nothing of it is consumed. */
async function speaksHttp2(visitor: VisitorConnection): Promise<boolean> {
  for (;;) {
    const begins = startsHttp2(visitor.unread);
    if (begins !== "more") return begins === "yes";
    if (!await visitor.fill()) return false;
  }
}
