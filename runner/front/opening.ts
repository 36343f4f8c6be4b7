import { discard } from "../discard.ts";
import type { Peer } from "../http1/request_head.ts";
import type { Place } from "./admission.ts";
import { alertRecord } from "./alert.ts";
import type { CertificateTable } from "./certificate_table.ts";
import { ClientHelloReader, MAX_HELLO_BYTES } from "./client_hello.ts";
import { writeAll } from "./copy.ts";
import type { Visitor } from "./front.ts";
import type { InnerConnection } from "./inner_listener.ts";
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader, readProxyHeader } from "./proxy_header.ts";
import { RareLog } from "./rare_log.ts";
import type { ServedCertificate } from "./served_certificate.ts";
import { TlsSocket } from "./tls_socket.ts";

/** Of most connections, before HTTP begins. */
export const NOTHING_RECEIVED: Uint8Array = new Uint8Array(0);

const INITIAL_BUFFER_BYTES = 4 * 1024;
const MAX_BUFFER_BYTES = MAX_PROXY_HEADER_BYTES + MAX_HELLO_BYTES;
/** For a visitor who is turned away to read why: a reset would destroy it. */
const LINGER_MS = 1000;
const MAX_LINGER_BYTES = 64 * 1024;
const NOT_HTTPS = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 23\r\nconnection: close\r\n\r\n" +
    "This port speaks HTTPS\n",
);
const log = new RareLog();

/** What is expected of a connection before HTTP begins, and who helps with it. */
export interface OpeningOptions {
  /** It begins with the header of the PROXY protocol. */
  isProxied: boolean;
  /** `null` = there is no TLS. */
  tls: CertificateTable | null;
  /** Resolves when it is useless to wait any longer for a certificate of that name. */
  wantCertificate(hostname: string): Promise<void>;
}

/** One connection from when it was accepted until HTTP begins. */
export class Opening {
  readonly #socket: Deno.TcpConn;
  readonly #place: Place;
  readonly #options: OpeningOptions;
  readonly #whenCut = Promise.withResolvers<void>();
  #buffer: Uint8Array = new Uint8Array(INITIAL_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #tls: TlsSocket | null = null;
  #cut = false;

  /** @param place Becomes free when this is cut. */
  constructor(socket: Deno.TcpConn, place: Place, options: OpeningOptions) {
    this.#socket = socket;
    this.#place = place;
    this.#options = options;
  }

  /** @returns `null` = it came to nothing, and is over. */
  async open(): Promise<Visitor | null> {
    let peer: Peer = this.#socket.remoteAddr;
    if (this.#options.isProxied) {
      const header = await this.#readProxyHeader();
      if (header === null) return this.cut();
      peer = header.source ?? peer;
      if (header.source !== null && !this.#place.takeFor(peer.hostname)) return this.cut();
    }
    const { tls } = this.#options;
    if (tls === null) {
      return { socket: this.#socket, received: this.#unread, peer, protocol: null };
    }
    const serverName = await this.#readServerName();
    const certificate = serverName === null ? null : await this.#find(serverName, tls);
    return certificate === null ? null : await this.#handshake(certificate, peer);
  }

  /** After HTTP has ended: resolves when nothing is left. */
  async finish(): Promise<void> {
    this.#tls?.close();
    await this.#tls?.over;
  }

  /** Ends it at once. Idempotent. */
  cut(): null {
    if (this.#cut) return null;
    this.#cut = true;
    this.#place.release();
    this.#whenCut.resolve();
    if (this.#tls === null) this.#socket.close();
    else this.#tls.cut();
    return null;
  }

  async #readProxyHeader(): Promise<ProxyHeader | null> {
    for (;;) {
      const header = readProxyHeader(this.#unread);
      if (header === "malformed") return null;
      if (header !== "incomplete") {
        this.#start += header.length;
        return header;
      }
      if (!await this.#fill()) return null;
    }
  }

  /** @returns `null` = there is none, and it is over. */
  async #readServerName(): Promise<string | null> {
    const reader = new ClientHelloReader();
    for (;;) {
      const state = reader.read(this.#unread);
      if (state === "foreign") return this.cut();
      if (state === "http") return await this.#dismiss(NOT_HTTPS);
      if (state === "incomplete") {
        if (!await this.#fill()) return this.cut();
      } else if ("alert" in state) return await this.#dismiss(alertRecord(state.alert));
      else return state.serverName;
    }
  }

  async #find(serverName: string, certificates: CertificateTable): Promise<ServedCertificate | null> {
    try {
      const certificate = certificates.find(serverName);
      if (certificate !== null) return certificate;
      await Promise.race([this.#options.wantCertificate(serverName), this.#whenCut.promise]);
      if (this.#cut) return null;
      return certificates.find(serverName) ?? await this.#dismiss(alertRecord("unrecognizedName"));
    } catch (error) {
      return await this.#fail(error);
    }
  }

  async #handshake(certificate: ServedCertificate, peer: Peer): Promise<Visitor | null> {
    let inner: InnerConnection;
    try {
      inner = await certificate.connect();
    } catch (error) {
      return await this.#fail(error);
    }
    if (this.#cut) {
      inner.ciphered.close();
      inner.clear.close();
      return null;
    }
    const socket = this.#tls = new TlsSocket(this.#socket, inner, this.#unread);
    this.#buffer = NOTHING_RECEIVED;
    try {
      const protocol = await socket.handshake();
      const { hostname, port } = peer;
      return { socket, received: NOTHING_RECEIVED, peer: { hostname, port, certificate }, protocol };
    } catch {
      // The visitor hears the reason from the alert that is on its way.
      await this.finish();
      return this.cut();
    }
  }

  /** The bytes that were received and are not consumed. */
  get #unread(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Waits for more of them; false = there are none, or too many. */
  async #fill(): Promise<boolean> {
    if (this.#end === MAX_BUFFER_BYTES) return false;
    if (this.#end === this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#buffer.length * 2, MAX_BUFFER_BYTES));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    try {
      const bytes = await this.#socket.read(this.#buffer.subarray(this.#end));
      this.#end += bytes ?? 0;
      return bytes !== null && !this.#cut;
    } catch {
      return false; // A reset by the visitor, or it was cut.
    }
  }

  async #fail(error: unknown): Promise<null> {
    log.error("Cannot begin TLS with a visitor", error);
    return await this.#dismiss(alertRecord("internalError"));
  }

  /** Tells a visitor why nothing comes of it. */
  async #dismiss(reason: Uint8Array): Promise<null> {
    const timer = setTimeout(() => this.cut(), LINGER_MS);
    try {
      await writeAll(this.#socket, reason);
      await this.#socket.closeWrite();
      await discard(this.#socket, MAX_LINGER_BYTES);
    } catch {
      // The visitor was faster.
    }
    clearTimeout(timer);
    return this.cut();
  }
}
