import { discard } from "../discard.ts";
import type { ByteBuffer } from "./byte_buffer.ts";
import { GatewayError } from "../errors.ts";
import { headEnd } from "./field_scanner.ts";
import { Patience } from "./patience.ts";
import { type Peer, type RequestHead, RequestReader } from "./request_head.ts";
import { isHopeless } from "./request_line.ts";
import { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "../visitor_limits.ts";

/** What an idle connection costs. */
const IDLE_BUFFER_BYTES = 4 * 1024;
/** Of a body, at once. */
const MAX_READ_BYTES = 64 * 1024;
/** Requests that one read brought, and that perhaps wait for nothing, before others get a turn of the event loop. */
const MAX_REQUESTS_IN_A_ROW = 64;
/** After the last response was sent, for the visitor to read it and leave: a reset would destroy it. */
const LINGER_MS = 2000;
const MAX_LINGER_BYTES = 16 * 1024 * 1024;
const NOTHING = new Uint8Array(0);
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
const CR = 0x0d;
const LF = 0x0a;

/**
 * The bytes of a visitor, whatever they come through. `write` should resolve as soon as the visitor has taken some, because
 * one that takes nothing for long is cut. `closeWrite` resolves when all that was written can reach the visitor without this
 * process; `close` ends reads and writes that wait.
 */
export type VisitorSocket = Pick<Deno.TcpConn, "read" | "write" | "close" | "closeWrite">;

/** How a visitor's connection differs from a new one with usual limits. */
export interface VisitorConnectionOptions {
  /** @default {DEFAULT_VISITOR_LIMITS} */
  limits?: VisitorLimits;
  /** What came before; it is copied. */
  received?: Uint8Array;
  /** It is a stream of an HTTP/2 connection. @default {false} */
  isHttp2?: boolean;
}

/**
 * One HTTP/1.1 connection of a visitor. While a request is served a read stays outstanding, so that the end of the visitor
 * is seen at once; what it brings besides is the next request.
 */
export class VisitorConnection {
  readonly #socket: VisitorSocket;
  readonly #reader: RequestReader;
  readonly #patience: Patience;
  /** A whole head fits in. */
  readonly #maxInputBytes: number;
  #input: Uint8Array;
  #start = 0;
  #end = 0;
  /** The last read took all the room that there was. */
  #filled = false;
  #reading: Promise<boolean> | null = null;
  #onGone: (() => void) | null = null;
  /** While nobody asks for it. */
  #readsOn = false;
  #ended = false;
  #retired = false;
  #lingering: Promise<void> | null = null;
  #closed = false;
  #requests = 0;
  #requestsInARow = 0;
  /** Of this connection. */
  readonly limits: VisitorLimits;
  readonly isHttp2: boolean;
  /** Taken and sent for the current request, so far. */
  requestBytes = 0;
  responseBytes = 0;
  /** The first byte of the current response was sent. */
  answering = false;
  /** No request is under way, nor the beginning of one. */
  idle = true;

  constructor(
    socket: VisitorSocket,
    peer: Peer,
    { limits = DEFAULT_VISITOR_LIMITS, received = NOTHING, isHttp2 = false }: VisitorConnectionOptions = {},
  ) {
    this.#socket = socket;
    this.#reader = new RequestReader(peer, limits);
    this.#patience = new Patience(limits);
    this.limits = limits;
    this.isHttp2 = isHttp2;
    this.#maxInputBytes = Math.max(limits.maxHeaderBytes, MAX_READ_BYTES);
    this.#input = new Uint8Array(Math.max(received.length, IDLE_BUFFER_BYTES));
    this.#input.set(received);
    this.#end = received.length;
    this.#filled = this.#end === this.#input.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** By `performance.now()`, to a second; `null` = a request is under way. */
  get idleSince(): number | null {
    return this.#patience.idleSinceMs;
  }

  /** The current request is the last that this connection may carry. */
  get last(): boolean {
    return this.#requests >= this.limits.maxRequestsPerConnection;
  }

  /** Ends the connection if it has passed a time limit. To be called every second with `performance.now()`. */
  sweep(nowMs: number): void {
    if (!this.#closed && this.#patience.sweep(nowMs)) this.close();
  }

  /** What was received and not consumed: a view that is good until the next `fill`. */
  get unread(): Uint8Array {
    return this.#input.subarray(this.#start, this.#end);
  }

  consume(bytes: number): void {
    this.#start += bytes;
    this.requestBytes += bytes;
    if (this.#start === this.#end && this.#reading === null) this.#start = this.#end = 0;
  }

  /** Waits for more `unread` bytes; false = there will be none. */
  fill(): Promise<boolean> {
    return this.#reading ??= this.#read();
  }

  /**
   * As `fill`, for the body of a request, which must not come too slowly.
   *
   * @param takenBytes So much of it has come.
   */
  fillBody(takenBytes: number): Promise<boolean> {
    this.#patience.awaitBody(takenBytes);
    return this.fill();
  }

  /** The visitor will send nothing more: as every proxy, we take it that it does not wait for an answer either. */
  get gone(): boolean {
    return this.#ended || this.#closed;
  }

  /**
   * Calls `onGone` when the visitor is gone, perhaps at once. One that has sent a whole buffer meanwhile is heard leaving only
   * by whoever goes on reading, or writes to it.
   *
   * @param readsOn False = somebody else reads, and `unread` stays where it is meanwhile.
   */
  watch(onGone: () => void, readsOn = true): void {
    if (this.gone) return onGone();
    this.#onGone = onGone;
    this.#readsOn = readsOn;
    if (!readsOn || this.#reading !== null) return;
    this.#shrink();
    this.#readOn();
  }

  unwatch(): void {
    this.#onGone = null;
    this.#readsOn = false;
  }

  /** Frames come from now on. Their own pings tell whether the visitor is there. */
  upgrade(): void {
    this.unwatch();
    this.#patience.upgrade();
  }

  /**
   * Waits for a request; false = there is none any more.
   *
   * @throws {GatewayError} `BAD_REQUEST`, `HEADER_TOO_LARGE`
   */
  async requestArrives(): Promise<boolean> {
    this.answering = false;
    this.requestBytes = this.responseBytes = 0;
    if (this.#reading === null) this.#shrink();
    let skipped = 0;
    let searched = 0;
    for (;;) {
      skipped += this.#skipEmptyLines();
      this.idle = this.#start === this.#end;
      // Mostly the head is all that there is. Otherwise its end is found, somewhere, before the fields are read.
      if (this.#endsInEmptyLine() || headEnd(this.#input, this.#start + searched, this.#end) !== -1) {
        this.#requests++;
        this.#patience.beginRequest();
        if (++this.#requestsInARow > MAX_REQUESTS_IN_A_ROW) await this.#letOthersIn();
        return true;
      }
      const bytes = this.#end - this.#start;
      if (isHopeless(this.#input, this.#start, this.#start + searched, this.#end)) {
        throw new GatewayError("BAD_REQUEST", `Cannot read a request: no head in ${bytes} bytes`);
      }
      if (skipped + bytes >= this.limits.maxHeaderBytes) throw this.#headTooLarge();
      this.#patience.awaitRequest(!this.idle);
      // The last three bytes may begin the CRLF CRLF.
      searched = Math.max(0, bytes - 3);
      if (!await this.fill()) return false;
    }
  }

  /** Ends the connection if it is idle: no request arrives any more, but what was sent can still be read. Idempotent. */
  retire(): void {
    if (!this.idle || this.#retired) return;
    this.#retired = true;
    this.linger();
  }

  /**
   * Reads the head that has arrived. What the isolate gets of it is written to `out`.
   *
   * @throws {GatewayError} `BAD_REQUEST`, `HEADER_TOO_LARGE`, `URI_TOO_LONG`, `LOOP_DETECTED`
   */
  readRequest(out: ByteBuffer): RequestHead {
    const head = this.#reader.read(this.#input, this.#start, this.#end, out);
    if (head.end - this.#start > this.limits.maxHeaderBytes) throw this.#headTooLarge();
    this.consume(head.end - this.#start);
    return head;
  }

  /** Waits while the visitor does not read: that is the backpressure of a response. Throws when it is gone. */
  write(bytes: Uint8Array): Promise<void> {
    this.answering = true;
    this.#patience.answer();
    return this.#send(bytes);
  }

  /** Asks for the body of a request (RFC 9110 §10.1.1). Throws when the visitor is `gone`. */
  async sayContinue(): Promise<void> {
    try {
      await this.#send(CONTINUE);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      this.#patience.beginWrite();
      const written = await this.#socket.write(offset === 0 ? bytes : bytes.subarray(offset));
      offset += written;
      this.responseBytes += written;
      this.#patience.endWrite();
    }
  }

  /** Ends the connection after a response, in such a way that the visitor can read all of it. Never rejects. */
  linger(): Promise<void> {
    return this.#lingering ??= this.#linger();
  }

  async #linger(): Promise<void> {
    if (this.gone) return this.close();
    let timer;
    try {
      this.#patience.beginWrite();
      await this.#socket.closeWrite();
      this.#patience.endWrite();
      timer = setTimeout(() => this.close(), LINGER_MS);
      // Not into the buffer, of which a part may still be on its way to an isolate.
      await discard(this.#socket, MAX_LINGER_BYTES);
    } catch {
      // The visitor was faster.
    }
    clearTimeout(timer);
    this.close();
  }

  /** Whoever waits for it, or watches it, gets the end of the connection. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#onGone?.();
  }

  #headTooLarge(): GatewayError {
    const { maxHeaderBytes } = this.limits;
    return new GatewayError("HEADER_TOO_LARGE", `Cannot read a request: a head over ${maxHeaderBytes} bytes`);
  }

  async #read(): Promise<boolean> {
    this.#makeRoom();
    let bytes: number | null = null;
    try {
      if (!this.#closed) bytes = await this.#socket.read(this.#input.subarray(this.#end));
    } catch {
      // A reset by the visitor and our own close are ends like any other.
    }
    if (bytes === null || this.#retired) {
      this.#ended = true;
      this.#onGone?.();
      return false;
    }
    this.#reading = null;
    this.#requestsInARow = 0;
    this.#patience.received();
    this.#end += bytes;
    this.#filled = this.#end === this.#input.length;
    if (this.#readsOn) this.#readOn();
    return true;
  }

  #letOthersIn(): Promise<void> {
    this.#requestsInARow = 0;
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Reads while nobody asks for it, as long as there is room. */
  #readOn(): void {
    if (this.#end - this.#start < this.#maxInputBytes) this.#reading = this.#read();
  }

  /** Between two requests. */
  #shrink(): void {
    if (this.#start !== this.#end || this.#input.length === IDLE_BUFFER_BYTES) return;
    this.#input = new Uint8Array(IDLE_BUFFER_BYTES);
    this.#start = this.#end = 0;
    this.#filled = false;
  }

  /** After a read that filled the buffer, more of it. */
  #makeRoom(): void {
    const { unread } = this;
    if (this.#filled && this.#input.length < this.#maxInputBytes) {
      this.#input = new Uint8Array(Math.min(this.#input.length * 4, this.#maxInputBytes));
      this.#input.set(unread);
    } else if (unread.length === 0 || this.#end === this.#input.length) {
      this.#input.copyWithin(0, this.#start, this.#end);
    } else return;
    this.#start = 0;
    this.#end = unread.length;
  }

  #endsInEmptyLine(): boolean {
    const input = this.#input;
    const end = this.#end;
    return end - this.#start >= 4 && input[end - 1] === LF && input[end - 2] === CR &&
      input[end - 3] === LF &&
      input[end - 4] === CR;
  }

  /** RFC 9112 §2.2: at least one before a request is to be ignored. Returns their length in bytes. */
  #skipEmptyLines(): number {
    const input = this.#input;
    const start = this.#start;
    while (this.#end - this.#start >= 2 && input[this.#start] === CR && input[this.#start + 1] === LF) {
      this.#start += 2;
    }
    return this.#start - start;
  }
}
