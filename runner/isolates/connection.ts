import type { IsolateUsage } from "../contract.ts";
import { headEnd } from "../http1/field_scanner.ts";
import {
  MAX_RESPONSE_HEAD_BYTES,
  ProtocolError,
  type ResponseHead,
  ResponseReader,
} from "../http1/response_head.ts";
import { Turn } from "../turn.ts";

/** Holds a whole head, so that it never has to grow. Untouched pages cost nothing. */
const READ_BUFFER_BYTES = MAX_RESPONSE_HEAD_BYTES;
/** Interim responses (RFC 9110 §15.2) before the real one. */
const MAX_INTERIM_RESPONSES = 16;

/**
 * One HTTP/1.1 client connection to an isolate, which carries one exchange at a time. A read is always outstanding while
 * it is idle, so that the end of the isolate is seen before the next request is written, and the next response costs no
 * further operation.
 */
export class Connection {
  readonly #conn: Deno.UnixConn;
  readonly #usage: IsolateUsage;
  readonly #input = new Uint8Array(READ_BUFFER_BYTES);
  readonly #reader = new ResponseReader();
  #start = 0;
  #end = 0;
  #reading: Promise<boolean> | null = null;
  #onLost: (() => void) | null = null;
  #closed = false;
  readonly #turn = new Turn();
  /** Of the current request, head included. 0 = the isolate knows nothing of it and it may be sent elsewhere. */
  sentBytes = 0;
  /** Unix time in ms since when no exchange uses it. */
  idleSince = 0;

  private constructor(conn: Deno.UnixConn, usage: IsolateUsage) {
    this.#conn = conn;
    this.#usage = usage;
  }

  /** @throws {Deno.errors.NotFound | Deno.errors.ConnectionRefused} The isolate does not listen. */
  static async open(path: string, usage: IsolateUsage): Promise<Connection> {
    return new Connection(await Deno.connect({ transport: "unix", path }), usage);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Where the last head lies. */
  get input(): Uint8Array {
    return this.#input;
  }

  /** What was received and not consumed: a view that the next read overwrites. */
  get unread(): Uint8Array {
    return this.#input.subarray(this.#start, this.#end);
  }

  consume(bytes: number): void {
    this.#start += bytes;
  }

  /** Starts a request with its head and perhaps the first bytes of its body. */
  send(bytes: Uint8Array): Promise<void> {
    this.#onLost = null;
    this.sentBytes = 0;
    this.#turn.start();
    return this.write(bytes);
  }

  /** Waits while the isolate does not read: that is the backpressure of an upload. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      const written = await this.#conn.write(offset === 0 ? bytes : bytes.subarray(offset));
      offset += written;
      this.sentBytes += written;
      this.#usage.ingressBytes += written;
      this.#usage.lastActiveAt = Date.now();
    }
  }

  /** Waits for more `unread` bytes; false = there will be none, because either side closed the connection. */
  fill(): Promise<boolean> {
    const reading = this.#reading ?? this.#read();
    this.#reading = null;
    return reading;
  }

  /**
   * The head of the final response, which lies in `input` until the next read; `null` = the connection ended before it.
   *
   * @param method Of the request.
   * @throws {ProtocolError}
   */
  async readHead(method: string): Promise<ResponseHead | null> {
    for (let interim = 0; interim <= MAX_INTERIM_RESPONSES; interim++) {
      let searched = 0;
      while (headEnd(this.#input, this.#start + searched, this.#end) === -1) {
        // The last three bytes may begin the CRLF CRLF.
        searched = Math.max(0, this.#end - this.#start - 3);
        if (this.#end - this.#start === READ_BUFFER_BYTES) {
          throw new ProtocolError(`head over ${MAX_RESPONSE_HEAD_BYTES} bytes`);
        }
        if (!await this.fill()) return null;
      }
      const head = this.#reader.read(this.#input, this.#start, this.#end, method);
      this.#start = head.end;
      if (head.status >= 200 || head.status === 101) return head;
    }
    throw new ProtocolError(`more than ${MAX_INTERIM_RESPONSES} interim responses`);
  }

  /** Ends the exchange. Bytes that now arrive, or the end of the connection, close it and call `onLost`. */
  rest(onLost: () => void): void {
    this.#onLost = onLost;
    this.idleSince = Date.now();
    this.#reading = this.#read();
  }

  /** A read that waits gets the end of the connection. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #read(): Promise<boolean> {
    if (this.#closed) return false;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    else if (this.#end === READ_BUFFER_BYTES) {
      this.#input.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const startedAt = performance.now();
    // A reset by the peer and our own close are ends like any other: the framing tells whether they came too early.
    const bytes = await this.#conn.read(this.#end === 0 ? this.#input : this.#input.subarray(this.#end))
      .catch(() => null);
    if (bytes !== null) {
      this.#end += bytes;
      this.#usage.egressBytes += bytes;
    }
    if (this.#onLost !== null) {
      this.close();
      this.#onLost();
    } else if (bytes !== null) this.#usage.lastActiveAt = Date.now();
    const pause = this.#turn.pass(startedAt);
    if (pause !== undefined) await pause;
    return bytes !== null && !this.#closed;
  }
}
