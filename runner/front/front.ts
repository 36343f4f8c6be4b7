import type { Peer } from "../http1/request_head.ts";
import type { TrustedProxies } from "./trusted_proxies.ts";
import type { VisitorSocket } from "../http1/visitor_connection.ts";
import type { Admission, Place } from "./admission.ts";
import type { CertificateTable } from "./certificate_table.ts";
import { NOTHING_RECEIVED, Opening } from "./opening.ts";
import { RareLog } from "./rare_log.ts";
import type { Protocol } from "./tls_socket.ts";

/** Connections that the kernel has accepted and we have not; it may hold fewer (`net.core.somaxconn`). */
const BACKLOG = 4096;
/** When there is no descriptor for another connection. */
const ACCEPT_PAUSE_MS = 50;

/** A connection on which HTTP begins. */
export interface Visitor {
  socket: VisitorSocket;
  /** What was received of the first request already. */
  received: Uint8Array;
  /** Over TLS, with the certificate that it was secured with. */
  peer: Peer;
  /** As agreed in the TLS handshake; `null` = the connection is plain. */
  protocol: Protocol | null;
}

/** Where visitors arrive, and what becomes of them. */
export interface FrontOptions {
  hostname: string;
  port: number;
  /** `null` = visitors speak plain HTTP. */
  tls: CertificateTable | null;
  admission: Admission;
  /** Those that send PROXY headers have to, and are not counted by their own addresses. */
  proxies: TrustedProxies;
  /** Resolves when the connection is over; never rejects. */
  serve(visitor: Visitor): Promise<void>;
  /** A visitor asks for a name without a certificate: resolves when it is useless to wait for one. */
  wantCertificate(hostname: string): Promise<void>;
}

/** Accepts the connections of visitors on one address, and has each served as soon as HTTP begins on it. */
export class Front {
  readonly #options: FrontOptions;
  readonly #listener: Deno.TcpListener;
  readonly #openings = new Set<Opening>();
  readonly #served = new Map<VisitorSocket, Opening | undefined>();
  readonly #log = new RareLog();
  #stopped = false;

  /** @throws It cannot listen there. */
  constructor(options: FrontOptions) {
    const { hostname, port } = options;
    this.#options = options;
    // Others have the same port: other runners, and the server that takes over from this one.
    this.#listener = Deno.listen({ hostname, port, reusePort: true, tcpBacklog: BACKLOG });
    this.#accept();
  }

  /** As bound. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Connections, whether or not HTTP has begun. */
  get size(): number {
    return this.#openings.size + this.#served.size;
  }

  /** Accepts no more, and cuts where HTTP has not begun. What is served goes on. Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener.close();
    for (const opening of this.#openings) opening.cut();
  }

  /** Ends everything at once. */
  close(): void {
    this.stop();
    for (const [socket, opening] of this.#served) {
      try {
        if (opening === undefined) socket.close();
        else opening.cut();
      } catch {
        // Closed before: whoever serves it is about to say so.
      }
    }
  }

  async #accept(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#admit(await this.#listener.accept());
      } catch (error) {
        if (this.#stopped) return;
        // Reset before it was accepted (accept(2)): whoever does that must not make others wait.
        if (error instanceof Deno.errors.NotConnected) continue;
        const { hostname, port } = this.addr;
        this.#log.error(`Cannot accept a connection on "${hostname}:${port}"`, error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #admit(socket: Deno.TcpConn): void {
    const { admission, tls, proxies } = this.#options;
    const peer = socket.remoteAddr;
    // A small answer must not wait for the acknowledgement of the one before.
    socket.setNoDelay();
    const isProxied = proxies.sendsProxyHeader(peer.hostname);
    // What a proxy's own address has taken is many visitors'.
    const isOfMany = isProxied || proxies.fieldOf(peer.hostname) !== null;
    const place = admission.admit(isOfMany ? null : peer.hostname);
    if (place === null) return socket.close();
    if (isProxied || tls !== null) this.#open(socket, place, isProxied);
    else this.#serve({ socket, received: NOTHING_RECEIVED, peer, protocol: null }, place);
  }

  async #open(socket: Deno.TcpConn, place: Place, isProxied: boolean): Promise<void> {
    const { admission, tls, wantCertificate } = this.#options;
    const opening = new Opening(socket, place, { isProxied, tls, wantCertificate });
    this.#openings.add(opening);
    const opened = admission.halfOpen.add(() => opening.cut());
    let visitor: Visitor | null = null;
    try {
      visitor = await opening.open();
    } catch (error) {
      this.#log.error("Cannot go on with a connection", error);
      opening.cut();
    }
    opened();
    this.#openings.delete(opening);
    if (visitor === null) return;
    await this.#serve(visitor, place, opening);
  }

  async #serve(visitor: Visitor, place: Place, opening?: Opening): Promise<void> {
    const { socket } = visitor;
    this.#served.set(socket, opening);
    try {
      await this.#options.serve(visitor);
    } finally {
      await opening?.finish();
      this.#served.delete(socket);
      place.release();
    }
  }
}
