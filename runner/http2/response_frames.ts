import { ChunkedDecoder } from "../http1/chunked_decoder.ts";
import { FIELD, FieldScanner, listOf } from "../http1/field_scanner.ts";
import { OctetWriter } from "./octet_writer.ts";
import type { Outbox } from "./outbox.ts";
import { MAX_PAYLOAD_BYTES } from "./protocol.ts";

/** Of a head of our own: more than anybody puts there. */
const MAX_FIELDS = 512;
/** After `HTTP/1.1 `. */
const STATUS_START = 9;
const LF = 0x0a;

const malformed = (what: string) => new Error(`Cannot send a response over HTTP/2: ${what}`);
/** One block or head at a time is written, and no call lets others in between. */
const scanner = new FieldScanner(MAX_FIELDS, malformed);
const block = new OctetWriter();

/** What a response's head says. */
interface Head {
  status: number;
  keepAlive: boolean;
  chunked: boolean;
  /** Of the body, in bytes; -1 = not told. */
  contentLength: number;
  end: number;
}

/**
 * Turns a response that was written for HTTP/1.1 into frames. It is our own writing: a head is in one piece, and where a body
 * ends is always told.
 */
export class ResponseFrames {
  #isHead = false;
  #begun = false;
  #ended = false;
  #keepAlive = true;
  #decoder: ChunkedDecoder | null = null;
  /** By content-length. */
  #remainingBytes = 0;
  /** Of the current bytes: where the data in them lies, where in that we are, and how much of it is left. */
  #source: Uint8Array = new Uint8Array(0);
  #pieces: readonly number[] = [];
  #piece = 0;
  #at = 0;
  #leftBytes = 0;
  /** The data ends the body. */
  #isLast = false;
  /** The current bytes still begin with a head. */
  #headPending = false;

  /** Begins with another response. @param isHead It has no body, whatever its head says. */
  begin(isHead: boolean): void {
    this.#isHead = isHead;
    this.#begun =
      this.#ended =
      this.#isLast =
      this.#headPending =
        false;
    this.#keepAlive = true;
    this.#decoder = null;
    this.#remainingBytes = this.#leftBytes = 0;
  }

  /** Its head was sent. */
  get begun(): boolean {
    return this.#begun;
  }

  /** END_STREAM was sent. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The connection, if it were one, would carry another request. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** Takes the next bytes, which must not change until all of their frames were sent. */
  accept(bytes: Uint8Array): void {
    this.#source = bytes;
    this.#at = 0;
    if (this.#begun) this.#find(0);
    else this.#headPending = true;
  }

  /**
   * Sends the next frame.
   *
   * @param maxBytes What the stream's window allows.
   * @returns The size of its data in bytes; -1 = there is none left to send, -2 = the window is closed.
   * @throws The bytes are no response.
   */
  send(streamId: number, maxBytes: number, outbox: Outbox): number {
    if (this.#headPending) {
      this.#sendHead(streamId, outbox);
      return 0;
    }
    if (this.#ended || this.#leftBytes === 0 && !this.#isLast) return -1;
    const allowed = Math.min(maxBytes, outbox.windowBytes, MAX_PAYLOAD_BYTES);
    // An empty frame needs no window (RFC 9113 §6.9).
    if (allowed <= 0 && this.#leftBytes > 0) return -2;
    const length = Math.min(this.#leftBytes, Math.max(allowed, 0));
    this.#leftBytes -= length;
    this.#ended = this.#isLast && this.#leftBytes === 0;
    this.#copy(length, outbox.data(streamId, length, this.#ended));
    return length;
  }

  #sendHead(streamId: number, outbox: Outbox): void {
    const bytes = this.#source;
    const head = readHead(bytes, this.#at, outbox);
    this.#begun = head.status >= 200;
    this.#headPending = !this.#begun && head.end < bytes.length;
    this.#at = head.end;
    if (this.#begun) this.#beginBody(head);
    outbox.headers(streamId, block, this.#ended);
  }

  #beginBody({ status, keepAlive, chunked, contentLength, end }: Head): void {
    this.#keepAlive = keepAlive;
    if (this.#isHead || status === 204 || status === 304) this.#ended = true;
    else if (chunked) this.#decoder = new ChunkedDecoder(malformed);
    else if (contentLength === -1) throw malformed("no framing");
    else this.#remainingBytes = contentLength;
    if (this.#ended) return;
    this.#find(end);
    this.#ended = this.#isLast && this.#leftBytes === 0;
  }

  /** Finds the data in the bytes from `start` on. */
  #find(start: number): void {
    if (this.#decoder === null) {
      this.#leftBytes = Math.min(this.#source.length - start, this.#remainingBytes);
      this.#remainingBytes -= this.#leftBytes;
      this.#isLast = this.#remainingBytes === 0;
      this.#pieces = [start, start + this.#leftBytes];
    } else {
      this.#source = this.#source.subarray(start);
      this.#leftBytes = this.#decoder.decode(this.#source);
      this.#isLast = this.#decoder.done;
      this.#pieces = this.#decoder.pieces;
    }
    this.#piece = 0;
    this.#at = this.#pieces[0] ?? 0;
  }

  #copy(length: number, out: OctetWriter): void {
    for (let left = length; left > 0;) {
      const end = Math.min(this.#at + left, this.#pieces[this.#piece + 1]!);
      out.copy(this.#source, this.#at, end);
      left -= end - this.#at;
      this.#at = end;
      if (end < this.#pieces[this.#piece + 1]!) return;
      this.#piece += 2;
      this.#at = this.#pieces[this.#piece] ?? 0;
    }
  }
}

/** Reads the head at `start`, and compresses it to `block`. */
function readHead(bytes: Uint8Array, start: number, { encoder }: Outbox): Head {
  const digits = start + STATUS_START;
  const status = (bytes[digits]! - 0x30) * 100 + (bytes[digits + 1]! - 0x30) * 10 + bytes[digits + 2]! - 0x30;
  if (!(status >= 100 && status <= 599) || status === 101) throw malformed(`status ${status}`);
  const head = { status, keepAlive: true, chunked: false, contentLength: -1, end: 0 };
  block.clear();
  encoder.begin(status, block);
  scanner.begin(bytes, bytes.indexOf(LF, digits) + 1, bytes.length);
  while (scanner.next()) {
    switch (scanner.kind) {
      case FIELD.hop:
      case FIELD.upgrade:
        continue;
      case FIELD.connection:
        head.keepAlive = !listOf(scanner.value()).includes("close");
        continue;
      case FIELD.transferEncoding:
        head.chunked = true;
        continue;
      case FIELD.contentLength:
        head.contentLength = scanner.integer();
    }
    encoder.field(bytes, scanner, block);
  }
  head.end = scanner.lineEnd;
  return head;
}
