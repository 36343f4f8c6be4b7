import { ByteBuffer } from "../http1/byte_buffer.ts";

const INITIAL_BYTES = 1024;

/** Octets of HTTP/2 on their way out. Whoever fills it bounds it. */
export class OctetWriter extends ByteBuffer {
  constructor() {
    super(INITIAL_BYTES);
  }

  /** Four octets, the most significant first. */
  uint32(value: number): void {
    this.octet(value >>> 24);
    this.octet(value >>> 16);
    this.octet(value >>> 8);
    this.octet(value);
  }

  /** The header of a frame (RFC 9113 §4.1) whose payload of `length` bytes follows. */
  frame(length: number, type: number, flags: number, streamId: number): void {
    this.octet(length >>> 16);
    this.octet(length >>> 8);
    this.octet(length);
    this.octet(type);
    this.octet(flags);
    this.uint32(streamId);
  }

  /** What was put in, from `start` to `end`, is put into `target`, too. */
  copyTo(target: OctetWriter, start: number, end: number): void {
    target.copy(this.view, start, end);
  }

  /** `source[start, end)`, tokens, in lower case. */
  lowerCase(source: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) this.octet(lowerCase(source[i]!));
  }
}

/** An octet of a token: a letter in lower case, anything else as it is. */
export function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
