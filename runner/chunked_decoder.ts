import { parseFields, ProtocolError } from "./response_head.ts";

/** Of a chunk-size line with its extensions. */
const MAX_LINE_BYTES = 1024;
/** Of all chunk extensions of one body: they cost us and carry nothing (CVE-2023-39326). */
const MAX_EXTENSION_BYTES = 16 * 1024;
const MAX_TRAILER_BYTES = 16 * 1024;
/** 13 hexadecimal digits are below `Number.MAX_SAFE_INTEGER`. */
const SIZE_LINE = /^([0-9a-f]{1,13})([\t ]*;[\t\x20-\x7e\x80-\xff]*)?\r\n$/i;

type State = "size" | "data" | "data-end" | "trailer" | "done";

/**
 * Decodes the chunked transfer coding (RFC 9112 §7.1) as its bytes arrive, however they are split. Extensions and
 * trailers are checked and dropped.
 */
export class ChunkedDecoder {
  #state: State = "size";
  #line = "";
  #trailer = "";
  #remaining = 0;
  #extensionBytes = 0;
  #consumed = 0;

  /** The last chunk and its trailer were read. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** How many bytes of the last input belonged to the body: fewer than all of them only when `done`. */
  get consumed(): number {
    return this.#consumed;
  }

  /**
   * The data in `input`, copied.
   *
   * @throws {ProtocolError}
   */
  decode(input: Uint8Array): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(input.length);
    let length = 0;
    let at = 0;
    while (at < input.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(at + this.#remaining, input.length);
        data.set(input.subarray(at, end), length);
        length += end - at;
        this.#remaining -= end - at;
        at = end;
        if (this.#remaining === 0) this.#state = "data-end";
      } else {
        const byte = input[at++]!;
        this.#line += String.fromCharCode(byte);
        if (byte === 0x0a) this.#endLine();
        else if (this.#line.length > MAX_LINE_BYTES) throw new ProtocolError("chunk line too long");
      }
    }
    this.#consumed = at;
    return data.subarray(0, length);
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r\n")) throw new ProtocolError("chunk line that ends in a bare LF");
    if (this.#state === "data-end") {
      if (line !== "\r\n") throw new ProtocolError("chunk longer than its size");
      this.#state = "size";
    } else if (this.#state === "size") this.#startChunk(line);
    else this.#readTrailer(line);
  }

  #startChunk(line: string): void {
    const match = SIZE_LINE.exec(line);
    if (!match) throw new ProtocolError("malformed chunk size");
    this.#extensionBytes += match[2]?.length ?? 0;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES) throw new ProtocolError("chunk extensions too long");
    this.#remaining = parseInt(match[1]!, 16);
    this.#state = this.#remaining === 0 ? "trailer" : "data";
  }

  #readTrailer(line: string): void {
    this.#trailer += line;
    if (this.#trailer.length > MAX_TRAILER_BYTES) throw new ProtocolError("trailer section too long");
    if (line !== "\r\n") return;
    parseFields(this.#trailer, 0);
    this.#state = "done";
  }
}
