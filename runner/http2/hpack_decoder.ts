import { type HeaderField, headerField, namedLike, sizeOf, STATIC_FIELDS } from "./header_field.ts";
import { decodeHuffman, SHORTEST_CODE_BITS } from "./huffman.ts";
import { ERROR, Http2Error } from "./protocol.ts";

/** Of the dynamic table, in bytes: what every decoder has unless it says something else (RFC 9113 §6.5.2). */
export const HEADER_TABLE_BYTES = 4096;
/** No field is smaller than 32 bytes. A power of two, for the ring. */
const MAX_ENTRIES = HEADER_TABLE_BYTES / 32;
/** Room for a decoded string: more is given back after a block. */
const MAX_KEPT_BYTES = 8 * 1024;
/** Of an integer, beyond its prefix: enough for 2^28, which is past every limit here (RFC 7541 §5.1). */
const MAX_INTEGER_OCTETS = 4;

function malformed(what: string): Http2Error {
  return new Http2Error(ERROR.compression, what);
}

/** Decompresses the header blocks of one connection (RFC 7541), all of them, in the order in which they come. */
export class HpackDecoder {
  /** The newest entry is the one before `#next`. */
  readonly #entries: (HeaderField | undefined)[] = new Array(MAX_ENTRIES);
  #next = 0;
  #count = 0;
  #tableBytes = 0;
  #maxTableBytes = HEADER_TABLE_BYTES;
  #block: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #decoded = new Uint8Array(256);

  /**
   * Decodes the block in `block[start, end)`. What `onField` throws ends it, and then the decoder is of no more use.
   *
   * @throws {Http2Error} `ERROR.compression`: the connection has to end.
   */
  decode(block: Uint8Array, start: number, end: number, onField: (field: HeaderField) => void): void {
    this.#block = block;
    this.#at = start;
    this.#end = end;
    let atStart = true;
    while (this.#at < end) {
      const octet = block[this.#at]!;
      if (octet & 0x80) onField(this.#entry(this.#integer(7)));
      else if (octet & 0x40) {
        const field = this.#literal(6);
        this.#add(field);
        onField(field);
      } else if (octet & 0x20) {
        if (!atStart) throw malformed("table size update after a field");
        this.#resize(this.#integer(5));
        continue;
      } else onField(this.#literal(4));
      atStart = false;
    }
    if (this.#decoded.length > MAX_KEPT_BYTES) this.#decoded = new Uint8Array(MAX_KEPT_BYTES);
  }

  #literal(prefixBits: number): HeaderField {
    const index = this.#integer(prefixBits);
    if (index > 0) return namedLike(this.#entry(index), this.#string());
    // A copy, because the next string may overwrite it.
    const name = this.#string().slice();
    return headerField(name, this.#string());
  }

  #entry(index: number): HeaderField {
    if (index === 0) throw malformed("field index 0");
    if (index <= STATIC_FIELDS.length) return STATIC_FIELDS[index - 1]!;
    const age = index - STATIC_FIELDS.length;
    if (age > this.#count) throw malformed(`field index ${index}, past the table's end`);
    return this.#entries[this.#next - age & MAX_ENTRIES - 1]!;
  }

  /** RFC 7541 §4.4: a field that is larger than the table empties it. */
  #add(field: HeaderField): void {
    const size = sizeOf(field);
    this.#evictDownTo(this.#maxTableBytes - size);
    if (size > this.#maxTableBytes) return;
    this.#entries[this.#next] = field;
    this.#next = this.#next + 1 & MAX_ENTRIES - 1;
    this.#count++;
    this.#tableBytes += size;
  }

  #resize(maxTableBytes: number): void {
    if (maxTableBytes > HEADER_TABLE_BYTES) throw malformed(`table size ${maxTableBytes}`);
    this.#maxTableBytes = maxTableBytes;
    this.#evictDownTo(maxTableBytes);
  }

  #evictDownTo(bytes: number): void {
    while (this.#count > 0 && this.#tableBytes > bytes) {
      const oldest = this.#next - this.#count & MAX_ENTRIES - 1;
      this.#tableBytes -= sizeOf(this.#entries[oldest]!);
      this.#entries[oldest] = undefined;
      this.#count--;
    }
  }

  /** RFC 7541 §5.1. */
  #integer(prefixBits: number): number {
    const max = (1 << prefixBits) - 1;
    let value = this.#octet() & max;
    if (value < max) return value;
    for (let octets = 0;; octets++) {
      if (octets === MAX_INTEGER_OCTETS) throw malformed("integer too large");
      const octet = this.#octet();
      value += (octet & 0x7f) << 7 * octets;
      if (octet < 0x80) return value;
    }
  }

  /** A view that is good until the next string. */
  #string(): Uint8Array {
    const isCoded = this.#at < this.#end && (this.#block[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw malformed("string past the block's end");
    this.#at = end;
    if (!isCoded) return this.#block.subarray(start, end);
    const room = Math.ceil(length * 8 / SHORTEST_CODE_BITS);
    if (this.#decoded.length < room) this.#decoded = new Uint8Array(room);
    const decoded = decodeHuffman(this.#block, start, end, this.#decoded);
    if (decoded === -1) throw malformed("malformed Huffman code");
    return this.#decoded.subarray(0, decoded);
  }

  #octet(): number {
    if (this.#at === this.#end) throw malformed("truncated header block");
    return this.#block[this.#at++]!;
  }
}
