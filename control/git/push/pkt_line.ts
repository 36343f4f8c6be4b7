/**
 * The packets that Git's protocols are made of: four hexadecimal digits of length, themselves included, then the payload;
 * `0000` ends a list (gitprotocol-common(5), "pkt-line Format").
 */

const LENGTH_DIGITS = 4;
/** gitprotocol-common(5). */
const MAX_PACKET_BYTES = 65_520;

/** Ends a list of packets. */
export const FLUSH: Uint8Array<ArrayBuffer> = new TextEncoder().encode("0000");

/** One packet. */
export function packet(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = LENGTH_DIGITS + payload.length;
  const bytes = new Uint8Array(length);
  new TextEncoder().encodeInto(length.toString(16).padStart(LENGTH_DIGITS, "0"), bytes);
  bytes.set(payload, LENGTH_DIGITS);
  return bytes;
}

/** Reads packets, and then what comes after them, off a stream. */
export class PacketReader {
  readonly #source: ReadableStreamDefaultReader<Uint8Array>;
  #buffered: Uint8Array<ArrayBufferLike> = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#source = stream.getReader();
  }

  /**
   * The next packet's payload; `null` = the end of a list; `undefined` = the end of the stream.
   *
   * @throws {TypeError} It is not a packet, or ends within one.
   */
  async next(): Promise<Uint8Array | null | undefined> {
    if (!await this.#fill(LENGTH_DIGITS)) {
      if (this.#buffered.length === 0) return undefined;
      throw new TypeError("Cannot read packets: the stream ends within one");
    }
    const digits = new TextDecoder().decode(this.#buffered.subarray(0, LENGTH_DIGITS));
    const length = /^[0-9a-f]{4}$/i.test(digits) ? parseInt(digits, 16) : NaN;
    if (length === 0) {
      this.#buffered = this.#buffered.subarray(LENGTH_DIGITS);
      return null;
    }
    if (!(length >= LENGTH_DIGITS && length <= MAX_PACKET_BYTES)) {
      throw new TypeError(`Cannot read packets: "${digits}" is not a length`);
    }
    if (!await this.#fill(length)) throw new TypeError("Cannot read packets: the stream ends within one");
    const payload = this.#buffered.slice(LENGTH_DIGITS, length);
    this.#buffered = this.#buffered.subarray(length);
    return payload;
  }

  /** What comes after the packets that were read. */
  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#buffered.length > 0) yield this.#buffered;
    for (let read = await this.#source.read(); !read.done; read = await this.#source.read()) yield read.value;
  }

  /** Drops what was not read. */
  async cancel(): Promise<void> {
    await this.#source.cancel().catch(() => {
      // It has failed, and is over either way.
    });
  }

  async #fill(length: number): Promise<boolean> {
    while (this.#buffered.length < length) {
      const { done, value } = await this.#source.read();
      if (done) return false;
      const joined = new Uint8Array(this.#buffered.length + value.length);
      joined.set(this.#buffered);
      joined.set(value, this.#buffered.length);
      this.#buffered = joined;
    }
    return true;
  }
}
