import type { VisitorSocket } from "../http1/visitor_connection.ts";
import {
  ERROR,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  Http2Error,
  MAX_PAYLOAD_BYTES,
  PREFACE,
} from "./protocol.ts";

/** What an idle connection costs. */
const IDLE_BUFFER_BYTES = 4 * 1024;
/** What is read at once: several whole frames. */
const MAX_BUFFER_BYTES = 64 * 1024;
/** Of one header block; an ordinary one is in its first frame. */
const MAX_CONTINUATIONS = 32;
/** A header block is smaller than the list it stands for, but for what the encoding costs. */
const MAX_BLOCK_EXCESS = 2;
const PRIORITY_BYTES = 5;
const PING_BYTES = 8;
const SETTING_BYTES = 6;

/** Who gets the frames. Arrays are views, good until the call returns. What it throws ends the reading after that frame. */
export interface FrameHandler {
  /** @param flowBytes What counts against the windows: padding, too. */
  data(streamId: number, payload: Uint8Array, flowBytes: number, endStream: boolean): void;
  /**
   * A whole header block.
   *
   * @param dependency The stream that this one depends on, by its own account; 0 = none.
   */
  headers(streamId: number, block: Uint8Array, endStream: boolean, dependency: number): void;
  reset(streamId: number): void;
  /** @param payload `null` = ours are acknowledged. */
  settings(payload: Uint8Array | null): void;
  ping(payload: Uint8Array, isAck: boolean): void;
  /** @param streamId 0 = the connection's window. */
  windowUpdate(streamId: number, increment: number): void;
  /** PRIORITY, GOAWAY, and types that nobody knows: nothing to do. */
  ignored(): void;
}

interface OpenBlock {
  streamId: number;
  endStream: boolean;
  dependency: number;
  fragments: Uint8Array[];
  bytes: number;
}

/** Finds the frames in what a visitor sends (RFC 9113 §4), and whether each is well-formed by itself (§6). */
export class FrameReader {
  readonly #maxBlockBytes: number;
  #input: Uint8Array;
  #start = 0;
  #end: number;
  #prefaceRead = false;
  #settingsRead = false;
  #block: OpenBlock | null = null;

  /**
   * @param received Before: the reader's from now on.
   * @param maxHeaderBytes Of the list that a header block stands for.
   */
  constructor(received: Uint8Array, maxHeaderBytes: number) {
    this.#input = received;
    this.#end = received.length;
    this.#maxBlockBytes = maxHeaderBytes * MAX_BLOCK_EXCESS;
  }

  /** A header block has begun and not ended. */
  get headersPending(): boolean {
    if (this.#block !== null) return true;
    const type = this.#end - this.#start > 3 ? this.#input[this.#start + 3] : -1;
    return this.#prefaceRead && type === FRAME.headers;
  }

  /** Waits for more bytes; false = there will be none. */
  async fill(socket: VisitorSocket): Promise<boolean> {
    this.#makeRoom();
    try {
      const bytes = await socket.read(this.#input.subarray(this.#end));
      this.#end += bytes ?? 0;
      return bytes !== null;
    } catch {
      // A reset by the visitor and our own close are ends like any other.
      return false;
    }
  }

  /** To be called when nothing is expected soon. */
  shrink(): void {
    if (this.#start !== this.#end || this.#input.length === IDLE_BUFFER_BYTES) return;
    this.#input = new Uint8Array(IDLE_BUFFER_BYTES);
    this.#start = this.#end = 0;
  }

  /** Forgets what has come; returns its length in bytes. */
  discard(): number {
    const length = this.#end - this.#start;
    this.#start = this.#end = 0;
    return length;
  }

  /**
   * Hands over all frames that are there. After an error of one stream it can be called again.
   *
   * @throws {Http2Error}
   */
  read(handler: FrameHandler): void {
    if (!this.#prefaceRead && !this.#readPreface()) return;
    for (;;) {
      const input = this.#input;
      const start = this.#start;
      if (this.#end - start < FRAME_HEADER_BYTES) return;
      const length = input[start]! << 16 | input[start + 1]! << 8 | input[start + 2]!;
      if (length > MAX_PAYLOAD_BYTES) throw new Http2Error(ERROR.frameSize, `frame of ${length} bytes`);
      const payloadStart = start + FRAME_HEADER_BYTES;
      if (this.#end < payloadStart + length) return;
      this.#start = payloadStart + length;
      const streamId = uint31(input, start + 5);
      const payload = input.subarray(payloadStart, payloadStart + length);
      this.#readFrame(input[start + 3]!, input[start + 4]!, streamId, payload, handler);
    }
  }

  #readPreface(): boolean {
    const length = Math.min(this.#end - this.#start, PREFACE.length);
    for (let i = 0; i < length; i++) {
      if (this.#input[this.#start + i] !== PREFACE[i]) throw new Http2Error(ERROR.protocol, "no preface");
    }
    this.#prefaceRead = length === PREFACE.length;
    if (this.#prefaceRead) this.#start += length;
    return this.#prefaceRead;
  }

  #readFrame(
    type: number,
    flags: number,
    streamId: number,
    payload: Uint8Array,
    handler: FrameHandler,
  ): void {
    if (!this.#settingsRead) {
      if (type !== FRAME.settings || flags & FLAG.ack) {
        throw new Http2Error(ERROR.protocol, "no SETTINGS after the preface");
      }
      this.#settingsRead = true;
    }
    if (this.#block !== null && type !== FRAME.continuation) {
      throw new Http2Error(ERROR.protocol, `frame of type ${type} in a header block`);
    }
    switch (type) {
      case FRAME.data:
        onStream(streamId, "DATA");
        return handler.data(
          streamId,
          withoutPadding(payload, flags, 0),
          payload.length,
          (flags & FLAG.endStream) !== 0,
        );
      case FRAME.headers:
        onStream(streamId, "HEADERS");
        return this.#readHeaders(flags, streamId, payload, handler);
      case FRAME.priority:
        onStream(streamId, "PRIORITY");
        ofLength(payload, PRIORITY_BYTES, "PRIORITY", streamId);
        if (uint31(payload, 0) === streamId) throw dependsOnItself(streamId);
        return handler.ignored();
      case FRAME.rstStream:
        onStream(streamId, "RST_STREAM");
        ofLength(payload, 4, "RST_STREAM");
        return handler.reset(streamId);
      case FRAME.settings:
        return readSettings(flags, streamId, payload, handler);
      case FRAME.pushPromise:
        throw new Http2Error(ERROR.protocol, "PUSH_PROMISE of a client");
      case FRAME.ping:
        onConnection(streamId, "PING");
        ofLength(payload, PING_BYTES, "PING");
        return handler.ping(payload, (flags & FLAG.ack) !== 0);
      case FRAME.goaway:
        onConnection(streamId, "GOAWAY");
        if (payload.length < 8) throw new Http2Error(ERROR.frameSize, `GOAWAY of ${payload.length} bytes`);
        return handler.ignored();
      case FRAME.windowUpdate:
        return readWindowUpdate(streamId, payload, handler);
      case FRAME.continuation:
        return this.#continueHeaders(flags, streamId, payload, handler);
      default:
        return handler.ignored();
    }
  }

  #readHeaders(flags: number, streamId: number, payload: Uint8Array, handler: FrameHandler): void {
    const hasPriority = (flags & FLAG.priority) !== 0;
    const fragment = withoutPadding(payload, flags, hasPriority ? PRIORITY_BYTES : 0);
    const dependency = hasPriority ? uint31(payload, flags & FLAG.padded ? 1 : 0) : 0;
    const endStream = (flags & FLAG.endStream) !== 0;
    if (flags & FLAG.endHeaders) return handler.headers(streamId, fragment, endStream, dependency);
    const fragments = [fragment.slice()];
    this.#block = { streamId, endStream, dependency, fragments, bytes: fragment.length };
  }

  #continueHeaders(flags: number, streamId: number, payload: Uint8Array, handler: FrameHandler): void {
    const block = this.#block;
    if (block === null || block.streamId !== streamId) {
      throw new Http2Error(ERROR.protocol, "CONTINUATION without HEADERS");
    }
    block.fragments.push(payload.slice());
    block.bytes += payload.length;
    if (block.bytes > this.#maxBlockBytes || block.fragments.length > MAX_CONTINUATIONS) {
      throw new Http2Error(ERROR.enhanceYourCalm, `header block without an end in ${block.bytes} bytes`);
    }
    if ((flags & FLAG.endHeaders) === 0) return;
    this.#block = null;
    handler.headers(streamId, joined(block), block.endStream, block.dependency);
  }

  /** Room for a whole frame at least; more when that was not enough. */
  #makeRoom(): void {
    const length = this.#end - this.#start;
    const isFull = this.#end === this.#input.length;
    if (isFull && length * 2 > this.#input.length && this.#input.length < MAX_BUFFER_BYTES) {
      const grown = new Uint8Array(
        Math.min(Math.max(this.#input.length * 4, IDLE_BUFFER_BYTES), MAX_BUFFER_BYTES),
      );
      grown.set(this.#input.subarray(this.#start, this.#end));
      this.#input = grown;
    } else if (isFull) this.#input.copyWithin(0, this.#start, this.#end);
    else if (length > 0) return;
    this.#start = 0;
    this.#end = length;
  }
}

function readSettings(flags: number, streamId: number, payload: Uint8Array, handler: FrameHandler): void {
  onConnection(streamId, "SETTINGS");
  const isAck = (flags & FLAG.ack) !== 0;
  if (isAck ? payload.length > 0 : payload.length % SETTING_BYTES > 0) {
    throw new Http2Error(ERROR.frameSize, `SETTINGS of ${payload.length} bytes`);
  }
  handler.settings(isAck ? null : payload);
}

function readWindowUpdate(streamId: number, payload: Uint8Array, handler: FrameHandler): void {
  ofLength(payload, 4, "WINDOW_UPDATE");
  const increment = uint31(payload, 0);
  if (increment === 0) throw new Http2Error(ERROR.protocol, "WINDOW_UPDATE by 0", streamId);
  handler.windowUpdate(streamId, increment);
}

/** Without its highest bit, which is reserved. */
function uint31(bytes: Uint8Array, at: number): number {
  return (bytes[at]! & 0x7f) << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

/** @param skip In bytes, after the length of the padding. */
function withoutPadding(payload: Uint8Array, flags: number, skip: number): Uint8Array {
  if ((flags & FLAG.padded) === 0 && payload.length >= skip) return payload.subarray(skip);
  const start = skip + 1;
  if (payload.length < (flags & FLAG.padded ? start : skip)) {
    throw new Http2Error(ERROR.frameSize, `frame of ${payload.length} bytes`);
  }
  const end = payload.length - payload[0]!;
  if (end < start) throw new Http2Error(ERROR.protocol, "padding longer than its frame");
  return payload.subarray(start, end);
}

function onStream(streamId: number, type: string): void {
  if (streamId === 0) throw new Http2Error(ERROR.protocol, `${type} without a stream`);
}

function onConnection(streamId: number, type: string): void {
  if (streamId !== 0) throw new Http2Error(ERROR.protocol, `${type} on a stream`);
}

function ofLength(payload: Uint8Array, length: number, type: string, streamId = 0): void {
  if (payload.length === length) return;
  throw new Http2Error(ERROR.frameSize, `${type} of ${payload.length} bytes`, streamId);
}

/** An error of the stream (RFC 7540 §5.3.1). */
export function dependsOnItself(streamId: number): Http2Error {
  return new Http2Error(ERROR.protocol, `stream ${streamId} that depends on itself`, streamId);
}

function joined({ fragments, bytes }: OpenBlock): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const fragment of fragments) {
    whole.set(fragment, at);
    at += fragment.length;
  }
  return whole;
}
