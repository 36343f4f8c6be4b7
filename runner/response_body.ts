import { ChunkedDecoder } from "./chunked_decoder.ts";
import type { Connection } from "./connection.ts";
import { GatewayError } from "./errors.ts";
import type { ResponseHead } from "./response_head.ts";

const NOTHING = new Uint8Array(0);

/** The body of one response as its framing delimits it. What it hands out is the receiver's own memory. */
export class ResponseBody {
  readonly #connection: Connection;
  readonly #decoder: ChunkedDecoder | null;
  /** By content-length; infinite when the body ends with the connection. */
  #remainingBytes: number;
  #ended = false;

  constructor(connection: Connection, { framing, length }: ResponseHead) {
    this.#connection = connection;
    this.#decoder = framing === "chunked" ? new ChunkedDecoder() : null;
    this.#remainingBytes = framing === "close" ? Infinity : length;
  }

  /** The last byte was handed out. */
  get complete(): boolean {
    return this.#decoder === null ? this.#remainingBytes === 0 || this.#ended : this.#decoder.done;
  }

  /**
   * What has arrived, without waiting; perhaps nothing.
   *
   * @throws {ProtocolError}
   */
  take(): Uint8Array<ArrayBuffer> {
    const unread = this.#connection.unread;
    if (this.#decoder !== null) {
      const data = this.#decoder.decode(unread);
      this.#connection.consume(this.#decoder.consumed);
      return data;
    }
    const data = unread.slice(0, Math.min(unread.length, this.#remainingBytes));
    this.#connection.consume(data.length);
    this.#remainingBytes -= data.length;
    return data;
  }

  /**
   * Waits for the next bytes; none = `complete`.
   *
   * @throws {ProtocolError}
   * @throws {GatewayError} `BAD_RESPONSE`: the connection ended before the body.
   */
  async next(): Promise<Uint8Array<ArrayBuffer>> {
    while (!this.complete) {
      if (!await this.#connection.fill()) {
        if (this.#remainingBytes !== Infinity) {
          throw new GatewayError(
            "BAD_RESPONSE",
            "Cannot read response: the connection ended before the body",
          );
        }
        this.#ended = true;
        break;
      }
      const data = this.take();
      if (data.length > 0) return data;
    }
    return NOTHING;
  }
}
