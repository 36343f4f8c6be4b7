const INITIAL_BYTES = 1024;
/** A copy of fewer bytes is faster as a loop than as a call. */
const SHORT_BYTES = 48;

/** Octets on their way out. Whoever fills it bounds it. */
export class OctetWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  /** In bytes. */
  get length(): number {
    return this.#length;
  }

  /** What was put in: a view that the next change overwrites. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was put in. */
  clear(): void {
    this.#length = 0;
  }

  /** Gives back what an empty one does not need. */
  shrink(): void {
    if (this.#length === 0 && this.#bytes.length > INITIAL_BYTES) this.#bytes = new Uint8Array(INITIAL_BYTES);
  }

  /** One octet. */
  octet(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Four octets, the most significant first. */
  uint32(value: number): void {
    this.#reserve(4);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = value >>> 24;
    bytes[at++] = value >>> 16;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
    this.#length = at;
  }

  /** The header of a frame (RFC 9113 §4.1) whose payload of `length` bytes follows. */
  frame(length: number, type: number, flags: number, streamId: number): void {
    this.#reserve(9);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = length >>> 16;
    bytes[at++] = length >>> 8;
    bytes[at++] = length;
    bytes[at++] = type;
    bytes[at++] = flags;
    this.#length = at;
    this.uint32(streamId);
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

  /** What was put in, from `start` to `end`, is put into `target`, too. */
  copyTo(target: OctetWriter, start: number, end: number): void {
    target.copy(this.#bytes, start, end);
  }

  /** `source[start, end)`, tokens, in lower case. */
  lowerCase(source: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = start; i < end; i++) bytes[at++] = lowerCase(source[i]!);
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

/** An octet of a token: a letter in lower case, anything else as it is. */
export function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
