import type { FieldScanner } from "../http1/field_scanner.ts";
import { decodeLatin1, encodeLatin1 } from "../http1/octets.ts";
import { HEADER_TABLE_BYTES } from "./hpack_decoder.ts";
import { nameOf, STATIC_FIELDS, valueOf } from "./header_field.ts";
import { lowerCase, type OctetWriter } from "./octet_writer.ts";

/** A larger field would evict too many others. */
const MAX_ENTRY_BYTES = HEADER_TABLE_BYTES / 4;
const OVERHEAD_BYTES = 32;
/** Mostly another value each time: they would evict the ones that come again. All of them are in the static table. */
const VOLATILE: ReadonlySet<string> = new Set([
  "age",
  "content-length",
  "content-range",
  "etag",
  "expires",
  "last-modified",
  "location",
  "set-cookie",
]);
const SECRET = "set-cookie";
const STATUS_INDEX = 8;

/** Patterns and prefixes of RFC 7541 §6. */
const INDEXED = 0x80;
const INDEXED_BITS = 7;
const WITH_INDEXING = 0x40;
const WITH_INDEXING_BITS = 6;
const WITHOUT_INDEXING = 0x00;
const NEVER_INDEXED = 0x10;
const LITERAL_BITS = 4;
const SIZE_UPDATE = 0x20;
const SIZE_UPDATE_BITS = 5;
const LENGTH_BITS = 7;

/** Where the name and the value of a field lie. */
export type FieldLine = Pick<FieldScanner, "lineStart" | "nameEnd" | "valueStart" | "valueEnd">;

/** A name or a whole field that the peer knows. */
interface Entry {
  name: Uint8Array;
  value: Uint8Array;
  /** Of the name alone, and of the field: keys of the maps. */
  nameHash: number;
  hash: number;
  /** Counted over all entries that there ever were; 0 = static. */
  number: number;
  /** Of a static one. */
  index: number;
  isVolatile: boolean;
  isSecret: boolean;
}

const staticNames = new Map<number, Entry>();
const staticFields = new Map<number, Entry>();
STATIC_FIELDS.forEach((field, i) => {
  const name = nameOf(field);
  const value = valueOf(field);
  const nameHash = hashName(name, 0, name.length);
  const hash = hashValue(nameHash, value, 0, value.length);
  const text = decodeLatin1(name, 0, name.length);
  const [isVolatile, isSecret] = [VOLATILE.has(text), text === SECRET];
  const entry = { name, value, nameHash, hash, number: 0, index: i + 1, isVolatile, isSecret };
  if (!staticNames.has(nameHash)) staticNames.set(nameHash, entry);
  if (value.length > 0) staticFields.set(entry.hash, entry);
});

/**
 * Compresses the header blocks of one connection (RFC 7541), in the order in which they are sent. What comes again and again is
 * one or two octets long; strings are sent as they are, since Huffman's code would cost more than it saves here.
 */
export class HpackEncoder {
  /** The oldest first. */
  readonly #entries: Entry[] = [];
  readonly #names = new Map<number, Entry>();
  readonly #fields = new Map<number, Entry>();
  #inserted = 0;
  #tableBytes = 0;
  #maxTableBytes = HEADER_TABLE_BYTES;
  /** To be told with the next block; -1 = nothing. The smallest is needed, too, since it evicts (RFC 7541 §4.2). */
  #smallestUpdate = -1;

  /** The peer's decoder takes as much, in bytes. */
  resize(maxTableBytes: number): void {
    const size = Math.min(maxTableBytes, HEADER_TABLE_BYTES);
    if (size === this.#maxTableBytes) return;
    this.#smallestUpdate = this.#smallestUpdate === -1 ? size : Math.min(this.#smallestUpdate, size);
    this.#maxTableBytes = size;
    this.#evictDownTo(size);
  }

  /** Begins a block with the field `:status`. */
  begin(status: number, out: OctetWriter): void {
    if (this.#smallestUpdate !== -1) {
      if (this.#smallestUpdate < this.#maxTableBytes) {
        writeInteger(this.#smallestUpdate, SIZE_UPDATE, SIZE_UPDATE_BITS, out);
      }
      writeInteger(this.#maxTableBytes, SIZE_UPDATE, SIZE_UPDATE_BITS, out);
      this.#smallestUpdate = -1;
    }
    const known = STATUS_INDEXES.get(status);
    if (known !== undefined) return out.octet(INDEXED | known);
    const digits = encodeLatin1(String(status));
    out.octet(WITHOUT_INDEXING | STATUS_INDEX);
    writeString(digits, 0, digits.length, out);
  }

  /** Adds the field that lies in `source`. */
  field(source: Uint8Array, line: FieldLine, out: OctetWriter): void {
    const { lineStart, nameEnd, valueStart, valueEnd } = line;
    const nameHash = hashName(source, lineStart, nameEnd);
    const hash = hashValue(nameHash, source, valueStart, valueEnd);
    const same = this.#fields.get(hash) ?? staticFields.get(hash);
    if (same !== undefined && isName(same, source, line) && isValue(same, source, line)) {
      return writeInteger(this.#indexOf(same), INDEXED, INDEXED_BITS, out);
    }
    let named = staticNames.get(nameHash) ?? this.#names.get(nameHash);
    if (named !== undefined && !isName(named, source, line)) named = undefined;
    const index = named === undefined ? 0 : this.#indexOf(named);
    const size = nameEnd - lineStart + valueEnd - valueStart + OVERHEAD_BYTES;
    const isKept = named?.isVolatile !== true && size <= Math.min(MAX_ENTRY_BYTES, this.#maxTableBytes);
    if (isKept) writeInteger(index, WITH_INDEXING, WITH_INDEXING_BITS, out);
    else writeInteger(index, named?.isSecret ? NEVER_INDEXED : WITHOUT_INDEXING, LITERAL_BITS, out);
    if (index === 0) {
      writeInteger(nameEnd - lineStart, 0, LENGTH_BITS, out);
      out.lowerCase(source, lineStart, nameEnd);
    }
    writeString(source, valueStart, valueEnd, out);
    if (!isKept) return;
    this.#evictDownTo(this.#maxTableBytes - size);
    const name = source.slice(lineStart, nameEnd).map(lowerCase);
    this.#add({ name, value: source.slice(valueStart, valueEnd), nameHash, hash }, size);
  }

  #add(field: Pick<Entry, "name" | "value" | "nameHash" | "hash">, size: number): void {
    const entry = { ...field, number: ++this.#inserted, index: 0, isVolatile: false, isSecret: false };
    this.#entries.push(entry);
    this.#names.set(entry.nameHash, entry);
    this.#fields.set(entry.hash, entry);
    this.#tableBytes += size;
  }

  #indexOf({ number, index }: Entry): number {
    return number === 0 ? index : STATIC_FIELDS.length + 1 + this.#inserted - number;
  }

  #evictDownTo(bytes: number): void {
    while (this.#tableBytes > bytes) {
      const oldest = this.#entries.shift()!;
      this.#tableBytes -= oldest.name.length + oldest.value.length + OVERHEAD_BYTES;
      if (this.#names.get(oldest.nameHash) === oldest) this.#names.delete(oldest.nameHash);
      if (this.#fields.get(oldest.hash) === oldest) this.#fields.delete(oldest.hash);
    }
  }
}

/** Statuses that the static table has. */
const STATUS_INDEXES: ReadonlyMap<number, number> = new Map(
  [200, 204, 206, 304, 400, 404, 500].map((status, i) => [status, STATUS_INDEX + i]),
);

/** RFC 7541 §5.1. */
function writeInteger(value: number, pattern: number, prefixBits: number, out: OctetWriter): void {
  const max = (1 << prefixBits) - 1;
  if (value < max) return out.octet(pattern | value);
  out.octet(pattern | max);
  let rest = value - max;
  for (; rest >= 0x80; rest >>>= 7) out.octet(rest & 0x7f | 0x80);
  out.octet(rest);
}

function writeString(source: Uint8Array, start: number, end: number, out: OctetWriter): void {
  writeInteger(end - start, 0, LENGTH_BITS, out);
  out.copy(source, start, end);
}

/** Of a name in lower case. */
function hashName(source: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = Math.imul(hash, 31) + lowerCase(source[i]!) | 0;
  return hash;
}

function hashValue(nameHash: number, source: Uint8Array, start: number, end: number): number {
  let hash = nameHash ^ end - start;
  for (let i = start; i < end; i++) hash = Math.imul(hash, 31) + source[i]! | 0;
  return hash;
}

function isName({ name }: Entry, source: Uint8Array, { lineStart, nameEnd }: FieldLine): boolean {
  if (nameEnd - lineStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== lowerCase(source[lineStart + i]!)) return false;
  return true;
}

function isValue({ value }: Entry, source: Uint8Array, { valueStart, valueEnd }: FieldLine): boolean {
  if (valueEnd - valueStart !== value.length) return false;
  for (let i = 0; i < value.length; i++) if (value[i] !== source[valueStart + i]) return false;
  return true;
}
