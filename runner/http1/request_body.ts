import { ByteBuffer } from "./byte_buffer.ts";
import { ChunkedDecoder, LAST_CHUNK, writeChunk } from "./chunked_decoder.ts";
import type { Connection } from "../isolates/connection.ts";
import { GatewayError } from "../errors.ts";
import { Turn } from "../turn.ts";
import type { VisitorConnection } from "./visitor_connection.ts";

/** What has arrived with the head and is sent with it. */
const MAX_FIRST_BYTES = 16 * 1024;

/** A visitor's request body on its way to an isolate, in the visitor's own framing. */
export class RequestBody {
  readonly #visitor: VisitorConnection;
  readonly #decoder: ChunkedDecoder | null;
  /** By content-length; infinite when the body ends where its chunks do. */
  #remainingBytes: number;
  #complete: boolean;
  /** Without what frames it. */
  #takenBytes = 0;
  #failure: GatewayError | null = null;
  #cancelled = false;

  /** @param contentLength In bytes; `Infinity` = chunked. */
  constructor(visitor: VisitorConnection, contentLength: number) {
    this.#visitor = visitor;
    this.#remainingBytes = contentLength;
    this.#complete = contentLength === 0;
    this.#decoder = contentLength === Infinity
      ? new ChunkedDecoder((what) => new GatewayError("BAD_REQUEST", `Cannot read a body: ${what}`))
      : null;
  }

  /** Everything was sent, so the connection is ready for another request. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Why there will be no more of it; `null` = nothing has happened to it yet. */
  get failure(): GatewayError | null {
    return this.#failure;
  }

  /**
   * Puts the framing field and the head's empty line into `out`, and as much of the body as has arrived.
   *
   * @throws {GatewayError} `BAD_REQUEST`, `BODY_TOO_LARGE`
   */
  begin(out: ByteBuffer): void {
    if (this.#decoder === null) this.#check(this.#remainingBytes);
    out.text(
      this.#decoder === null
        ? `content-length: ${this.#remainingBytes}\r\n\r\n`
        : "transfer-encoding: chunked\r\n\r\n",
    );
    this.#take(out, MAX_FIRST_BYTES);
    this.#complete = this.#ended;
  }

  /**
   * Sends the rest. If it fails, closes `connection`, because only that tells the isolate. If the isolate stops
   * reading, reads no more, because its response may be there to be read. Never rejects.
   */
  async pump(connection: Connection): Promise<void> {
    const turn = new Turn();
    turn.start();
    const out = ByteBuffer.take();
    try {
      while (!this.#complete && !this.#cancelled) {
        const startedAt = performance.now();
        if (this.#visitor.unread.length === 0 && !await this.#visitor.fillBody(this.#takenBytes)) {
          throw new GatewayError("BAD_REQUEST", "Cannot read a body: the visitor ended it");
        }
        if (this.#cancelled || !await this.#send(connection, out) || this.#complete) break;
        await turn.pass(startedAt);
      }
    } catch (error) {
      // Nothing else is thrown above.
      this.#failure = error as GatewayError;
      connection.close();
    }
    out.release();
  }

  /** Reads no more of it. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** False = the isolate takes no more. */
  async #send(connection: Connection, out: ByteBuffer): Promise<boolean> {
    out.clear();
    const unread = this.#visitor.unread;
    let piece = unread.subarray(0, Math.min(unread.length, this.#remainingBytes));
    if (this.#decoder === null) this.#consume(piece.length);
    else {
      this.#take(out, Infinity);
      piece = out.view;
    }
    try {
      await connection.write(piece);
    } catch {
      return false;
    }
    // Not before: another request may follow on a connection whose body is complete.
    this.#complete = this.#ended;
    return true;
  }

  /** All of it was taken from the visitor. */
  get #ended(): boolean {
    return this.#decoder === null ? this.#remainingBytes === 0 : this.#decoder.done;
  }

  /** Puts at most `maxBytes` of what has arrived into `out`, framed. */
  #take(out: ByteBuffer, maxBytes: number): void {
    const unread = this.#visitor.unread;
    const input = unread.length > maxBytes ? unread.subarray(0, maxBytes) : unread;
    if (this.#decoder === null) {
      const length = Math.min(input.length, this.#remainingBytes);
      out.copy(input, 0, length);
      return this.#consume(length);
    }
    const dataBytes = this.#decoder.decode(input);
    this.#takenBytes += dataBytes;
    this.#check(this.#takenBytes);
    writeChunk(dataBytes, input, this.#decoder.pieces, out);
    this.#visitor.consume(this.#decoder.consumed);
    if (this.#decoder.done) out.text(LAST_CHUNK);
  }

  #check(bytes: number): void {
    const { maxBodyBytes } = this.#visitor.limits;
    if (maxBodyBytes === 0 || bytes <= maxBodyBytes) return;
    throw new GatewayError("BODY_TOO_LARGE", `Cannot forward a body: over ${maxBodyBytes} bytes`);
  }

  #consume(bytes: number): void {
    this.#visitor.consume(bytes);
    this.#remainingBytes -= bytes;
    this.#takenBytes += bytes;
  }
}
