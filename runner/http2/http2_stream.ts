import { ByteBuffer } from "../http1/byte_buffer.ts";
import { LAST_CHUNK } from "../http1/chunked_decoder.ts";
import { headEnd } from "../http1/field_scanner.ts";
import { encodeLatin1 } from "../http1/octets.ts";
import type { VisitorSocket } from "../http1/visitor_connection.ts";
import { BodyBuffer } from "./body_buffer.ts";
import type { Outbox, Sender } from "./outbox.ts";
import { ERROR, type ErrorCode, Http2Error, MAX_31_BITS } from "./protocol.ts";
import type { RequestFields } from "./request_fields.ts";
import { ResponseFrames } from "./response_frames.ts";

/** What a stream may send before its consumer has read it. */
export const STREAM_WINDOW_BYTES = 512 * 1024;
/** The window opens by that much at least, so that it does not cost a frame for each read. */
const MIN_WINDOW_UPDATE_BYTES = STREAM_WINDOW_BYTES / 4;

/**
 * Node's client ends a body that is cancelled with an empty DATA frame, and resets the stream in the next segment: for so long it
 * is not known whether the body is whole.
 */
const CANCEL_GRACE_MS = 10;

/** A smaller frame of data costs more than it brings. */
const SMALL_FRAME_BYTES = 1024;

/** Of a body, in one write: who shares a slow connection with many streams takes a little of each in time. */
const MAX_WRITE_BYTES = 16 * 1024;
const NOTHING = new Uint8Array(0);
const CHUNK_END = encodeLatin1("\r\n");
const LAST = encodeLatin1(LAST_CHUNK);

/** The connection that a stream belongs to. */
export interface StreamOwner {
  readonly outbox: Outbox;
  /** The consumer has read so many bytes that came on the connection, or never will. */
  consumed(bytes: number): void;
  /** Both sides have ended. `isReusable` = its consumer waits for another request. */
  ended(stream: Http2Stream, isReusable: boolean): void;
  /** The consumer ended it before both sides had. */
  cut(stream: Http2Stream, code: ErrorCode): void;
  /** The consumer will neither read nor write any more. */
  closed(stream: Http2Stream): void;
  /** The visitor was sent a frame of data that its window has not cut to next to nothing. */
  dataSent(): void;
  /** What was written is no response. */
  failed(): void;
}

interface Read {
  buffer: Uint8Array;
  resolve(bytes: number | null): void;
}

/**
 * One stream as a connection that brings its request in HTTP/1.1 and takes the response. Like one it is kept alive: after both
 * have ended, it can be opened for another stream, whose request its consumer already waits for.
 */
export class Http2Stream implements VisitorSocket, Sender {
  readonly #owner: StreamOwner;
  readonly #body = new BodyBuffer();
  readonly #response = new ResponseFrames();
  readonly #reads: Read[] = [];
  #head: ByteBuffer | null = null;
  /** What the consumer reads before the body's next bytes. */
  #text: Uint8Array = NOTHING;
  #textAt = 0;
  #isChunked = false;
  /** Of the current chunk. */
  #chunkBytes = 0;
  #lastChunkRead = false;
  /** By content-length; `Infinity` = it was not told. */
  #expectedBytes = 0;
  #requestEnded = true;
  /** While the end of the body may still turn out to be none. */
  #graceTimer: ReturnType<typeof setTimeout> | null = null;
  #receiveWindow = STREAM_WINDOW_BYTES;
  #consumedBytes = 0;
  #sendWindow = 0;
  #write: { bytes: number; resolve(bytes: number): void; reject(error: Error): void } | null = null;
  #writeClosed = false;
  #closed = false;
  /** When its window was found closed, by `performance.now()`; 0 = it is not waited for. */
  blockedAt = 0;
  /** 0 = it is none of the visitor's, or not any more. */
  id = 0;
  /** It has a consumer. */
  served = false;

  constructor(owner: StreamOwner) {
    this.#owner = owner;
  }

  /** Nothing of its request was handed over. */
  get untouched(): boolean {
    return this.#head !== null && this.#textAt === 0;
  }

  /** The visitor has sent all of the request. */
  get requestEnded(): boolean {
    return this.#requestEnded;
  }

  /** The visitor was sent all of the response. */
  get responseEnded(): boolean {
    return this.#response.ended;
  }

  /** Carries the stream `id` from now on, whose request has these fields. Nothing is handed over before {@linkcode deliver}. */
  open(id: number, fields: RequestFields, endStream: boolean, sendWindow: number): void {
    this.id = id;
    this.#isChunked = !endStream && fields.contentLength === -1;
    this.#head = ByteBuffer.take();
    fields.writeHead(this.#isChunked, this.#head);
    this.#text = this.#head.view;
    this.#textAt = 0;
    this.#lastChunkRead = false;
    this.#expectedBytes = fields.contentLength === -1 ? Infinity : fields.contentLength;
    this.#requestEnded = endStream;
    this.#receiveWindow = STREAM_WINDOW_BYTES;
    this.#consumedBytes = 0;
    this.#sendWindow = sendWindow;
    this.#response.begin(fields.isHead);
  }

  /**
   * Takes a part of the request's body.
   *
   * @param flowBytes What it counts against the window.
   * @throws {Http2Error} Of the stream.
   */
  receive(payload: Uint8Array, flowBytes: number, endStream: boolean): void {
    this.#receiveWindow -= flowBytes;
    this.#expectedBytes -= payload.length;
    const isShort = endStream && this.#expectedBytes > 0 && this.#expectedBytes < Infinity;
    if (this.#receiveWindow < 0 || this.#expectedBytes < 0 || isShort) {
      this.#owner.consumed(flowBytes);
      if (this.#receiveWindow < 0) {
        throw new Http2Error(ERROR.flowControl, "more than the window allows", this.id);
      }
      throw new Http2Error(ERROR.protocol, "body of another length than told", this.id);
    }
    this.#body.append(payload);
    this.#requestEnded = endStream;
    if (endStream && payload.length === 0 && this.#isChunked) this.#holdEnd();
    this.#consume(flowBytes - payload.length);
  }

  /** Hands over what has come. */
  deliver(): void {
    for (let read; (read = this.#reads[0]) !== undefined;) {
      const bytes = this.#take(read.buffer);
      if (bytes === 0 && !(this.#writeClosed && this.#requestEnded)) return;
      this.#reads.shift();
      read.resolve(bytes === 0 ? null : bytes);
    }
  }

  /** The visitor takes so many bytes more; false = that is more than a window can be. */
  openWindow(increment: number): boolean {
    this.#sendWindow += increment;
    if (increment > 0) this.unblock();
    return this.#sendWindow <= MAX_31_BITS;
  }

  /** Goes on sending, if a closed window has kept it from that. */
  unblock(): void {
    if (this.blockedAt === 0) return;
    this.blockedAt = 0;
    this.#owner.outbox.send(this);
  }

  /** Forgets a request of which nothing was handed over. */
  recall(): void {
    this.id = 0;
    this.#forget();
  }

  /** The visitor is gone, or has no right to an answer any more. */
  abort(): void {
    this.id = 0;
    this.#forget();
    this.#writeClosed = this.#requestEnded = true;
    this.#settle();
  }

  step(): "sent" | "done" | "blocked" {
    if (this.#write === null) return "done";
    try {
      const bytes = this.#response.send(this.id, this.#sendWindow, this.#owner.outbox);
      if (bytes >= 0) {
        this.#sendWindow -= bytes;
        const isCut = this.#sendWindow === 0 || this.#owner.outbox.windowBytes === 0;
        if (bytes >= SMALL_FRAME_BYTES || bytes > 0 && !isCut) this.#owner.dataSent();
        return "sent";
      }
      if (bytes === -2) {
        this.blockedAt = performance.now();
        return "blocked";
      }
      this.#written();
    } catch (error) {
      // Its head may be in our table of fields, and not in the visitor's.
      console.error("Cannot answer a stream:", error);
      this.#owner.failed();
    }
    return "done";
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const bytes = this.#take(buffer);
    if (bytes > 0) return Promise.resolve(bytes);
    if (this.#closed || this.#writeClosed && this.#requestEnded) return Promise.resolve(null);
    return new Promise((resolve) => this.#reads.push({ buffer, resolve }));
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.id === 0 || this.#writeClosed) return Promise.reject(gone());
    // A head is in one piece.
    const start = this.#response.begun ? 0 : Math.max(headEnd(bytes, 0, bytes.length), 0);
    const part = bytes.subarray(0, start + MAX_WRITE_BYTES);
    const promise = new Promise<number>((resolve, reject) => {
      this.#write = { bytes: part.length, resolve, reject };
    });
    this.#response.accept(part);
    this.#owner.outbox.send(this);
    return promise;
  }

  closeWrite(): Promise<void> {
    this.#writeClosed = true;
    this.deliver();
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.id !== 0) this.#owner.cut(this, this.#response.ended ? ERROR.none : ERROR.internal);
    this.abort();
    this.#owner.closed(this);
  }

  #written(): void {
    const { bytes, resolve } = this.#write!;
    this.#write = null;
    resolve(bytes);
    if (!this.#response.ended) return;
    const wasRead = this.#textAt === this.#text.length && this.#body.length === 0 && this.#chunkBytes === 0 &&
      this.#lastChunkRead === this.#isChunked;
    const isReusable = this.#response.keepAlive && this.#requestEnded && wasRead && !this.#writeClosed;
    if (!isReusable && this.#response.keepAlive) this.closeWrite();
    if (this.#requestEnded) this.#owner.ended(this, isReusable);
  }

  #holdEnd(): void {
    this.#graceTimer = setTimeout(() => {
      this.#graceTimer = null;
      this.deliver();
    }, CANCEL_GRACE_MS);
  }

  #forget(): void {
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
    this.#owner.consumed(this.#body.length);
    this.#body.clear();
    this.#head?.release();
    this.#head = null;
    this.#text = NOTHING;
    this.#textAt = this.#chunkBytes = this.blockedAt = 0;
    this.#isChunked = this.#lastChunkRead = false;
  }

  /** Ends all who wait. */
  #settle(): void {
    for (const { resolve } of this.#reads) resolve(null);
    this.#reads.length = 0;
    this.#write?.reject(gone());
    this.#write = null;
  }

  /** Puts into `out` as much of the request as has come; returns its length in bytes. */
  #take(out: Uint8Array): number {
    let at = 0;
    while (at < out.length) {
      if (this.#textAt < this.#text.length) at = this.#takeText(out, at);
      else if (this.#chunkBytes > 0 || !this.#isChunked) {
        const length = Math.min(out.length - at, this.#isChunked ? this.#chunkBytes : this.#body.length);
        if (length === 0) break;
        this.#body.take(length, out, at);
        this.#consume(length);
        at += length;
        if (this.#isChunked && (this.#chunkBytes -= length) === 0) this.#say(CHUNK_END);
      } else if (this.#body.length > 0) {
        this.#chunkBytes = this.#body.length;
        this.#say(encodeLatin1(`${this.#chunkBytes.toString(16)}\r\n`));
      } else if (this.#requestEnded && !this.#lastChunkRead && this.#graceTimer === null) {
        this.#lastChunkRead = true;
        this.#say(LAST);
      } else break;
    }
    return at;
  }

  #takeText(out: Uint8Array, at: number): number {
    const end = Math.min(this.#text.length, this.#textAt + out.length - at);
    const length = end - this.#textAt;
    out.set(this.#text.subarray(this.#textAt, end), at);
    this.#textAt = end;
    if (end === this.#text.length && this.#head !== null) {
      this.#head.release();
      this.#head = null;
      this.#say(NOTHING);
    }
    return at + length;
  }

  #say(text: Uint8Array): void {
    this.#text = text;
    this.#textAt = 0;
  }

  #consume(bytes: number): void {
    if (bytes === 0) return;
    this.#owner.consumed(bytes);
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < MIN_WINDOW_UPDATE_BYTES || this.#requestEnded || this.id === 0) return;
    this.#owner.outbox.windowUpdate(this.id, this.#consumedBytes);
    this.#receiveWindow += this.#consumedBytes;
    this.#consumedBytes = 0;
  }
}

function gone(): Error {
  return new Deno.errors.BrokenPipe("Cannot write to a stream: it was closed");
}
