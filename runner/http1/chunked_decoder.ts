import type { ByteBuffer } from "./byte_buffer.ts";
import { FieldScanner } from "./field_scanner.ts";
import { encodeLatin1 } from "./octets.ts";

/** Of a chunk-size line with its extensions. */
const MAX_LINE_BYTES = 1024;
/** Of all chunk extensions of one body: they cost us and carry nothing (CVE-2023-39326). */
const MAX_EXTENSION_BYTES = 16 * 1024;
const MAX_TRAILER_BYTES = 16 * 1024;
const MAX_TRAILERS = 64;
/** 13 hexadecimal digits are below `Number.MAX_SAFE_INTEGER`. */
const SIZE_LINE = /^([0-9a-f]{1,13})([\t ]*;[\t\x20-\x7e\x80-\xff]*)?\r\n$/i;

const CR = 0x0d;
const LF = 0x0a;
/** Octet → value; -1 = none. */
const HEX_DIGITS = Int8Array.from({ length: 256 }, (_, octet) => {
  const char = String.fromCharCode(octet);
  return /[0-9a-f]/i.test(char) ? parseInt(char, 16) : -1;
});

type State = "size" | "data" | "data-end" | "trailer" | "done";

/**
 * Decodes the chunked transfer coding (RFC 9112 §7.1) as its bytes arrive, however they are split. Extensions and
 * trailers are checked and dropped.
 */
export class ChunkedDecoder {
  readonly #malformed: (what: string) => Error;
  readonly #pieces: number[] = [];
  #state: State = "size";
  #line = "";
  /** Index after the line that was taken. */
  #lineEnd = 0;
  #trailer = "";
  #remaining = 0;
  #extensionBytes = 0;
  #consumed = 0;

  /** @param malformed Makes the error that {@linkcode decode} throws. */
  constructor(malformed: (what: string) => Error) {
    this.#malformed = malformed;
  }

  /** The last chunk and its trailer were read. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** How many bytes of the last input belonged to the body: fewer than all of them only when `done`. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Of the data in the last input: start and end of each piece. */
  get pieces(): readonly number[] {
    return this.#pieces;
  }

  /**
   * Finds the data in `input`.
   *
   * @returns Its length in bytes; {@linkcode pieces} tells where it lies.
   * @throws What `malformed` makes.
   */
  decode(input: Uint8Array): number {
    this.#pieces.length = 0;
    let length = 0;
    let at = 0;
    while (at < input.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(at + this.#remaining, input.length);
        this.#pieces.push(at, end);
        length += end - at;
        this.#remaining -= end - at;
        at = end;
        if (this.#remaining === 0) this.#state = "data-end";
      } else if (this.#line.length === 0 && this.#takePlainLine(input, at)) at = this.#lineEnd;
      else {
        const byte = input[at++]!;
        this.#line += String.fromCharCode(byte);
        if (byte === LF) this.#endLine();
        else if (this.#line.length > MAX_LINE_BYTES) throw this.#malformed("chunk line too long");
      }
    }
    this.#consumed = at;
    return length;
  }

  /** The lines of which a body of many small chunks is full, without a string: up to 4 digits, or the CRLF after data. */
  #takePlainLine(input: Uint8Array, start: number): boolean {
    let at = start;
    if (this.#state === "size") {
      let size = 0;
      for (let digit; at - start < 4 && (digit = HEX_DIGITS[input[at]!]!) >= 0; at++) {
        size = size * 16 + digit;
      }
      if (size === 0 || input[at] !== CR || input[at + 1] !== LF) return false;
      this.#remaining = size;
      this.#state = "data";
    } else if (this.#state === "data-end" && input[at] === CR && input[at + 1] === LF) this.#state = "size";
    else return false;
    this.#lineEnd = at + 2;
    return true;
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r\n")) throw this.#malformed("chunk line that ends in a bare LF");
    if (this.#state === "data-end") {
      if (line !== "\r\n") throw this.#malformed("chunk longer than its size");
      this.#state = "size";
    } else if (this.#state === "size") this.#startChunk(line);
    else this.#readTrailer(line);
  }

  #startChunk(line: string): void {
    const match = SIZE_LINE.exec(line);
    if (!match) throw this.#malformed("malformed chunk size");
    this.#extensionBytes += match[2]?.length ?? 0;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES) throw this.#malformed("chunk extensions too long");
    this.#remaining = parseInt(match[1]!, 16);
    this.#state = this.#remaining === 0 ? "trailer" : "data";
  }

  #readTrailer(line: string): void {
    this.#trailer += line;
    if (this.#trailer.length > MAX_TRAILER_BYTES) throw this.#malformed("trailer section too long");
    if (line !== "\r\n") return;
    const scanner = new FieldScanner(MAX_TRAILERS, this.#malformed);
    scanner.begin(encodeLatin1(this.#trailer), 0, this.#trailer.length);
    while (scanner.next());
    this.#state = "done";
  }
}

/** Writes one chunk: `length` bytes in these pieces of `source`. None would be the last chunk, so it writes nothing. */
export function writeChunk(
  length: number,
  source: Uint8Array,
  pieces: readonly number[],
  out: ByteBuffer,
): void {
  if (length === 0) return;
  out.text(`${length.toString(16)}\r\n`);
  out.copyPieces(source, pieces);
  out.text("\r\n");
}

/** Ends a chunked body without trailers. */
export const LAST_CHUNK = "0\r\n\r\n";
