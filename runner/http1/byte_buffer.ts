/** A head of ordinary size and a small body. */
const INITIAL_BYTES = 8 * 1024;
/** Kept for the next ones who want one. */
const MAX_SPARE = 256;
/** A copy of fewer bytes is faster as a loop than as a call. */
const SHORT_BYTES = 48;

const HEX_DIGITS = new TextEncoder().encode("0123456789abcdef");

const spare: ByteBuffer[] = [];

/** Bytes on their way out, put together from text and pieces of what came in. Whoever fills it bounds it. */
export class ByteBuffer {
  readonly #initialBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** @param initialBytes What it keeps when it is empty. */
  constructor(initialBytes: number = INITIAL_BYTES) {
    this.#initialBytes = initialBytes;
    this.#bytes = new Uint8Array(initialBytes);
  }

  /** An empty one, the caller's until it is given back. */
  static take(): ByteBuffer {
    return spare.pop() ?? new ByteBuffer();
  }

  /** Nobody may have it any more, nor a view of it. */
  release(): void {
    this.clear();
    if (this.#bytes.length === INITIAL_BYTES && spare.length < MAX_SPARE) spare.push(this);
  }

  get length(): number {
    return this.#length;
  }

  /** What was put in: a view that the next change overwrites. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Gives back what an empty one does not need. */
  shrink(): void {
    if (this.#length > 0 || this.#bytes.length === this.#initialBytes) return;
    this.#bytes = new Uint8Array(this.#initialBytes);
  }

  octet(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Latin-1 characters, each one byte. */
  text(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** `source[start, end)`. */
  copy(source: Readonly<Uint8Array>, start = 0, end = source.length): void {
    const length = end - start;
    this.#reserve(length);
    if (length < SHORT_BYTES) {
      const bytes = this.#bytes;
      let at = this.#length;
      for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    } else this.#bytes.set(source.subarray(start, end), this.#length);
    this.#length += length;
  }

  /** Pieces of `source`, told by the start and end of each. */
  copyPieces(source: Uint8Array, pieces: readonly number[]): void {
    for (let i = 0; i < pieces.length; i += 2) this.copy(source, pieces[i]!, pieces[i + 1]!);
  }

  /** `source[start, end)` in hexadecimal digits. */
  hex(source: Uint8Array, start: number, end: number): void {
    this.#reserve((end - start) * 2);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = start; i < end; i++) {
      bytes[at++] = HEX_DIGITS[source[i]! >> 4]!;
      bytes[at++] = HEX_DIGITS[source[i]! & 0x0f]!;
    }
    this.#length = at;
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
