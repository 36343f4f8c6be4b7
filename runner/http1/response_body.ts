import type { ByteBuffer } from "./byte_buffer.ts";
import { ChunkedDecoder, LAST_CHUNK, writeChunk } from "./chunked_decoder.ts";
import type { Connection } from "../isolates/connection.ts";
import { GatewayError } from "../errors.ts";
import { type Framing, ProtocolError, type ResponseHead } from "./response_head.ts";

/** The body of one response as its framing delimits it, on its way into the visitor's framing. */
export class ResponseBody {
  readonly #connection: Connection;
  readonly #decoder: ChunkedDecoder | null;
  readonly #chunked: boolean;
  /** By content-length; infinite when the body ends with the connection. */
  #remainingBytes: number;
  #ended = false;

  /** @param visitorFraming What the visitor was told. */
  constructor(connection: Connection, { framing, length }: ResponseHead, visitorFraming: Framing) {
    this.#connection = connection;
    this.#decoder = framing === "chunked" ? new ChunkedDecoder((what) => new ProtocolError(what)) : null;
    this.#remainingBytes = framing === "close" ? Infinity : length;
    this.#chunked = visitorFraming === "chunked";
  }

  /** The last byte was handed out. */
  get complete(): boolean {
    return this.#decoder === null ? this.#remainingBytes === 0 || this.#ended : this.#decoder.done;
  }

  /**
   * Puts what has arrived into `out`, in the visitor's framing, without waiting; perhaps nothing.
   *
   * @throws {ProtocolError}
   */
  take(out: ByteBuffer): void {
    const unread = this.#connection.unread;
    if (this.#decoder !== null) {
      const length = this.#decoder.decode(unread);
      this.#write(length, unread, this.#decoder.pieces, out);
      this.#connection.consume(this.#decoder.consumed);
    } else {
      const length = Math.min(unread.length, this.#remainingBytes);
      this.#write(length, unread, [0, length], out);
      this.#connection.consume(length);
      this.#remainingBytes -= length;
    }
    if (this.#chunked && this.complete) out.text(LAST_CHUNK);
  }

  /**
   * Waits for more, so that there is something to take.
   *
   * @throws {GatewayError} `BAD_RESPONSE`: the connection ended before the body.
   */
  async more(): Promise<void> {
    if (await this.#connection.fill()) return;
    const endsWithConnection = this.#remainingBytes === Infinity && this.#decoder === null;
    // Closed by us, it was cut.
    if (!endsWithConnection || this.#connection.closed) {
      throw new GatewayError("BAD_RESPONSE", "Cannot read response: the connection ended before the body");
    }
    this.#ended = true;
  }

  #write(length: number, source: Uint8Array, pieces: readonly number[], out: ByteBuffer): void {
    if (this.#chunked) return writeChunk(length, source, pieces, out);
    out.copyPieces(source, pieces);
  }
}
