/** Types of records, by their numbers in the registry "Domain Name System (DNS) Parameters". */
export const TYPE = { SOA: 6, TXT: 16, TSIG: 250 } as const;
/** Classes; `NONE` deletes one record of a set (RFC 2136 §2.5.4). */
export const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const;

/** Where the header (RFC 1035 §4.1.1) counts the additional records. */
export const ADDITIONAL_COUNT_AT = 10;

const HEADER_BYTES = 12;
const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 255;

/** A resource record (RFC 1035 §4.1.3). */
export interface DnsRecord {
  name: string;
  type: number;
  class: number;
  ttl: number;
  data: Uint8Array;
}

/** The bytes of a record. */
export function encodeRecord(record: DnsRecord): Uint8Array<ArrayBuffer> {
  return concat([
    encodeName(record.name),
    uint16(record.type),
    uint16(record.class),
    uint16(record.ttl >>> 16),
    uint16(record.ttl & 0xffff),
    uint16(record.data.length),
    record.data,
  ]);
}

/**
 * A name in wire format, uncompressed and in lower case (RFC 4034 §6.2).
 *
 * @throws {RangeError} a label or the name is too long
 */
export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  const labels = name.toLowerCase().split(".").filter(Boolean).map((label) =>
    new TextEncoder().encode(label)
  );
  if (labels.some((label) => label.length > MAX_LABEL_BYTES)) {
    throw new RangeError(`Cannot encode "${name}": a label is longer than ${MAX_LABEL_BYTES} bytes`);
  }
  const encoded = concat([
    ...labels.flatMap((label) => [Uint8Array.of(label.length), label]),
    Uint8Array.of(0),
  ]);
  if (encoded.length > MAX_NAME_BYTES) throw new RangeError(`Cannot encode "${name}": it is too long`);
  return encoded;
}

/**
 * The last additional record of a message, and where it starts; `null` = there is none.
 *
 * @throws {RangeError} it is not a DNS message
 */
export function lastAdditional(
  message: Uint8Array,
): { start: number; type: number; data: Uint8Array } | null {
  const [questions, ...records] = [4, 6, 8, ADDITIONAL_COUNT_AT].map((at) => readUint16(message, at));
  let at = HEADER_BYTES;
  for (let i = 0; i < questions!; i++) at = skipName(message, at) + 4;
  const count = records.reduce((sum, section) => sum + section, 0);
  let last = null;
  for (let i = 1; i <= count; i++) {
    const start = at;
    const fixed = skipName(message, at);
    const dataAt = fixed + 10;
    at = dataAt + readUint16(message, dataAt - 2);
    if (at > message.length) throw new RangeError("Cannot read a DNS message: it is cut off");
    last = { start, type: readUint16(message, fixed), data: message.subarray(dataAt, at) };
  }
  return records.at(-1) === 0 ? null : last;
}

/** Behind a name, which may end in a pointer (RFC 1035 §4.1.4). */
function skipName(message: Uint8Array, at: number): number {
  for (;;) {
    const length = message[at];
    if (length === undefined) throw new RangeError("Cannot read a DNS message: it is cut off");
    if (length >= 0xc0) return at + 2;
    if (length === 0) return at + 1;
    at += length + 1;
  }
}

/** @throws {RangeError} there are no two bytes */
export function readUint16(bytes: Uint8Array, at: number): number {
  if (at + 2 > bytes.length) throw new RangeError("Cannot read a DNS message: it is cut off");
  return bytes[at]! << 8 | bytes[at + 1]!;
}

/** Two bytes, the higher first. */
export function uint16(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** One after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
