import type { VisitorSocket } from "../http1/visitor_connection.ts";
import { copy, writeAll } from "./copy.ts";
import type { InnerConnection } from "./inner_listener.ts";

/** For what was written before the close, to reach a visitor who reads. */
const CLOSE_LINGER_MS = 1000;

/** What the handshake agreed on. */
export type Protocol = "h2" | "http/1.1";

/**
 * A visitor's connection with TLS: what the visitor sends and gets is copied, as it is, between its connection and one to ourselves,
 * whose other end decrypts it. `read` throws when the visitor leaves without a word, as most do.
 */
export class TlsSocket implements VisitorSocket {
  readonly #visitor: Deno.TcpConn;
  readonly #ciphered: Deno.TcpConn;
  readonly #clear: Deno.TlsConn;
  #closed = false;
  #ended = false;
  /** All that will ever be sent was handed to the kernel, as far as the visitor is there. */
  #flushed = false;
  readonly #whenFlushed = Promise.withResolvers<void>();
  #lingering: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when nothing of it is left. */
  readonly over: Promise<void>;

  /** @param received What the visitor sent already. */
  constructor(visitor: Deno.TcpConn, { ciphered, clear }: InnerConnection, received: Uint8Array) {
    this.#visitor = visitor;
    this.#ciphered = ciphered;
    this.#clear = clear;
    this.over = writeAll(ciphered, received).then(() => this.#splice(), () => this.cut());
  }

  /** @throws The visitor wants something else, which it has been told, or left. */
  async handshake(): Promise<Protocol> {
    const { alpnProtocol } = await this.#clear.handshake();
    return alpnProtocol === "h2" ? "h2" : "http/1.1";
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#clear.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#clear.write(bytes);
  }

  /**
   * Says that nothing more will come; the visitor may still send. What was written before is megabytes, perhaps, that only this
   * process can copy: resolves when the visitor's own connection has all of it, or is over.
   */
  async closeWrite(): Promise<void> {
    await this.#clear.closeWrite();
    await this.#whenFlushed.promise;
  }

  /** Idempotent. Reads and writes end at once; what was written before still has a moment to reach the visitor. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clear.close();
    if (this.#flushed) this.#end();
    else if (!this.#ended) this.#lingering = setTimeout(() => this.#end(), CLOSE_LINGER_MS);
  }

  /** Ends everything at once. Idempotent. */
  cut(): void {
    this.#end();
    this.close();
  }

  /** Of the copying alone: what was decrypted can still be read. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#lingering);
    this.#whenFlushed.resolve();
    this.#ciphered.close();
    this.#visitor.close();
  }

  async #splice(): Promise<void> {
    await Promise.all([this.#forth(), this.#back()]);
    this.#end();
  }

  async #forth(): Promise<void> {
    const end = await copy(this.#visitor, this.#ciphered);
    if (end === "source broke") this.cut();
    // If nobody decrypts any more, what was encrypted before is still on its way back, and ends.
    else if (end === "ended") await this.#ciphered.closeWrite().catch(() => {});
  }

  async #back(): Promise<void> {
    const end = await copy(this.#ciphered, this.#visitor);
    this.#flushed = true;
    if (end === "target broke" || this.#closed) this.cut();
    else await this.#visitor.closeWrite().catch(() => this.cut());
    this.#whenFlushed.resolve();
  }
}
