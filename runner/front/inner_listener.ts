import type { Certificate } from "../contract.ts";
import type { NoDelay } from "./no_delay.ts";
import { RareLog } from "./rare_log.ts";

const LOOPBACK = "127.0.0.1";
const ALPN_PROTOCOLS = ["h2", "http/1.1"];
/** Accepted connections whose other end has not said yet that it is ours. */
const MAX_EARLY = 1024;
/** When there is no descriptor for another connection. */
const ACCEPT_PAUSE_MS = 50;
const log = new RareLog();

/** A connection to ourselves, by its two ends. */
export interface InnerConnection {
  /** Takes and gives what the visitor encrypted. */
  ciphered: Deno.TcpConn;
  /** Decrypts it. */
  clear: Deno.TlsConn;
}

/** TLS with one certificate, which Deno speaks only on connections that it accepted itself: hence on loopback. */
export class InnerListener {
  readonly #listener: Deno.TlsListener;
  /** Local port of a connection of ours → who waits for its other end. */
  readonly #awaited = new Map<number, PromiseWithResolvers<Deno.TlsConn>>();
  /** Other ends that were accepted before the connecting end heard of it, by its port; strangers' among them. */
  readonly #early = new Map<number, Deno.TlsConn>();
  #connecting = 0;
  #retired = false;
  #closed = false;

  /** @throws Deno refuses the certificate; or there is no descriptor left, which has a `code`. */
  constructor({ chain, privateKey }: Certificate, noDelay: NoDelay) {
    const { listener } = noDelay.listen({
      hostname: LOOPBACK,
      port: 0,
      cert: chain,
      key: privateKey,
      alpnProtocols: ALPN_PROTOCOLS,
    });
    this.#listener = listener;
    this.#accept();
  }

  /** @throws There is no descriptor or port left. */
  async connect(): Promise<InnerConnection> {
    this.#connecting++;
    let ciphered: Deno.TcpConn | undefined;
    try {
      const { hostname, port } = this.#listener.addr;
      ciphered = await Deno.connect({ hostname, port });
      ciphered.setNoDelay();
      return { ciphered, clear: await this.#otherEnd(ciphered.localAddr.port) };
    } catch (error) {
      ciphered?.close();
      throw error;
    } finally {
      this.#connecting--;
      if (this.#connecting === 0) this.#settle();
    }
  }

  /** Nobody will connect any more: it closes when those who do are through. Connections go on. */
  retire(): void {
    this.#retired = true;
    if (this.#connecting === 0) this.#settle();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#closeEarly();
    for (const awaited of this.#awaited.values()) awaited.reject(closedError());
    this.#awaited.clear();
  }

  #otherEnd(port: number): Promise<Deno.TlsConn> {
    if (this.#closed) throw closedError();
    const early = this.#early.get(port);
    if (early !== undefined) {
      this.#early.delete(port);
      return Promise.resolve(early);
    }
    const awaited = Promise.withResolvers<Deno.TlsConn>();
    this.#awaited.set(port, awaited);
    return awaited.promise;
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#accepted(await this.#listener.accept());
      } catch (error) {
        if (this.#closed) return;
        // A stranger's, reset before it was accepted.
        if (error instanceof Deno.errors.NotConnected) continue;
        log.error("Cannot accept a connection of our own", error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #accepted(conn: Deno.TlsConn): void {
    const { hostname, port } = conn.remoteAddr;
    // From another address of this machine, a stranger can have the port of one of ours.
    if (hostname !== LOOPBACK) return conn.close();
    const awaited = this.#awaited.get(port);
    if (awaited !== undefined) {
      this.#awaited.delete(port);
      awaited.resolve(conn);
    } else if (this.#connecting === 0) conn.close();
    else this.#keepEarly(port, conn);
  }

  /** Ours are claimed within a turn of the event loop, so the oldest ones are strangers'. */
  #keepEarly(port: number, conn: Deno.TlsConn): void {
    this.#early.get(port)?.close();
    this.#early.delete(port);
    this.#early.set(port, conn);
    if (this.#early.size <= MAX_EARLY) return;
    const [oldest] = this.#early;
    this.#early.delete(oldest![0]);
    oldest![1].close();
  }

  #settle(): void {
    this.#closeEarly();
    if (this.#retired) this.close();
  }

  #closeEarly(): void {
    for (const conn of this.#early.values()) conn.close();
    this.#early.clear();
  }
}

function closedError(): Error {
  return new Error("Cannot connect to a listener of our own: it is closed");
}
