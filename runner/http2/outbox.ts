import { nextTick } from "node:process";
import { encodeLatin1 } from "../http1/octets.ts";
import type { VisitorSocket } from "../http1/visitor_connection.ts";
import { HpackEncoder } from "./hpack_encoder.ts";
import { OctetWriter } from "./octet_writer.ts";
import {
  DEFAULT_WINDOW_BYTES,
  type ErrorCode,
  FLAG,
  FRAME,
  MAX_31_BITS,
  MAX_PAYLOAD_BYTES,
} from "./protocol.ts";

/** What waits to be written: responses wait for their turn beyond that. */
const MAX_WAITING_BYTES = 128 * 1024;
/** Of frames that answer the visitor's: nothing more is read from it beyond that. */
const MAX_CONTROL_BYTES = 64 * 1024;

/** Who sends a response frame by frame. */
export interface Sender {
  /** Sends the next frame: "sent" = there is another one, "blocked" = its window is closed. */
  step(): "sent" | "done" | "blocked";
}

/**
 * The frames that go out on one connection. All that is put in within one turn of the event loop is one write. Responses take
 * turns, frame by frame, when there is more than the visitor takes.
 */
export class Outbox {
  readonly encoder = new HpackEncoder();
  readonly #socket: VisitorSocket;
  readonly #onFailed: () => void;
  /** Who has something to send and no closed window. */
  readonly #senders: Sender[] = [];
  #frames = new OctetWriter();
  #inFlight = new OctetWriter();
  #isScheduled = false;
  #isWriting = false;
  /** How many writes were begun, and at the last sweep. */
  #writes = 0;
  #writesSeen = 0;
  /** Since when the same write was seen, by `performance.now()`. */
  #stalledSince = 0;
  #closed = false;
  #waiting: (() => void)[] = [];
  /** What the visitor takes on the connection, in bytes. */
  windowBytes = DEFAULT_WINDOW_BYTES;

  /** @param onFailed Nothing can be written any more. */
  constructor(socket: VisitorSocket, onFailed: () => void) {
    this.#socket = socket;
    this.#onFailed = onFailed;
  }

  /** Everything was written. */
  get empty(): boolean {
    return this.#frames.length === 0 && !this.#isWriting;
  }

  /** The visitor should be read no more for now. */
  get overfull(): boolean {
    return this.#frames.length > MAX_WAITING_BYTES + MAX_CONTROL_BYTES;
  }

  /**
   * For how long the visitor has taken nothing, in ms. To be called about once a second.
   *
   * @param nowMs By `performance.now()`.
   */
  stalledMs(nowMs: number): number {
    if (!this.#isWriting || this.#writes !== this.#writesSeen) this.#stalledSince = nowMs;
    this.#writesSeen = this.#writes;
    return nowMs - this.#stalledSince;
  }

  /** Waits until something was written, or nothing will be any more. */
  progress(): Promise<void> {
    if (this.#closed || this.empty) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** To be called when nothing is expected soon. */
  shrink(): void {
    if (!this.empty) return;
    this.#frames.shrink();
    this.#inFlight.shrink();
  }

  /** Ends who waits. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#senders.length = 0;
    this.#frames.clear();
    this.#wake();
  }

  /** Lets `sender` send until it is done, as soon as it is its turn. */
  send(sender: Sender): void {
    this.#senders.push(sender);
    this.#pump();
  }

  /** A header block. */
  headers(streamId: number, block: OctetWriter, endStream: boolean): void {
    const end = endStream ? FLAG.endStream : 0;
    const max = MAX_PAYLOAD_BYTES;
    const first = Math.min(block.length, max);
    const isWhole = first === block.length;
    this.#frames.frame(first, FRAME.headers, end | (isWhole ? FLAG.endHeaders : 0), streamId);
    block.copyTo(this.#frames, 0, first);
    for (let at = first; at < block.length; at += max) {
      const next = Math.min(at + max, block.length);
      this.#frames.frame(
        next - at,
        FRAME.continuation,
        next === block.length ? FLAG.endHeaders : 0,
        streamId,
      );
      block.copyTo(this.#frames, at, next);
    }
    this.#schedule();
  }

  /** The header of a DATA frame, whose payload of `length` bytes the caller puts into what is returned. */
  data(streamId: number, length: number, endStream: boolean): OctetWriter {
    this.windowBytes -= length;
    this.#frames.frame(length, FRAME.data, endStream ? FLAG.endStream : 0, streamId);
    this.#schedule();
    return this.#frames;
  }

  /** Ends a stream at once. */
  reset(streamId: number, code: ErrorCode): void {
    this.#control(FRAME.rstStream, 0, streamId, code);
  }

  /** The visitor may send `increment` bytes more. */
  windowUpdate(streamId: number, increment: number): void {
    this.#control(FRAME.windowUpdate, 0, streamId, increment);
  }

  /** What holds for what the visitor sends. */
  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    this.#frames.frame(settings.length * 6, FRAME.settings, 0, 0);
    for (const [id, value] of settings) {
      this.#frames.octet(id >> 8);
      this.#frames.octet(id);
      this.#frames.uint32(value);
    }
    this.#schedule();
  }

  /** The visitor's settings hold. */
  acknowledgeSettings(): void {
    this.#control(FRAME.settings, FLAG.ack, 0);
  }

  /** @param payload 8 bytes. */
  ping(payload: Uint8Array, isAck: boolean): void {
    this.#frames.frame(payload.length, FRAME.ping, isAck ? FLAG.ack : 0, 0);
    this.#frames.copy(payload);
    this.#schedule();
  }

  /** No stream after `lastStreamId` is answered. @param why Latin-1. */
  goAway(lastStreamId: number, code: ErrorCode, why = ""): void {
    this.#frames.frame(8 + why.length, FRAME.goaway, 0, 0);
    this.#frames.uint32(lastStreamId);
    this.#frames.uint32(code);
    this.#frames.copy(encodeLatin1(why));
    this.#schedule();
  }

  /** The visitor takes so many bytes more on the connection; false = that is more than a window can be. */
  openWindow(increment: number): boolean {
    this.windowBytes += increment;
    return this.windowBytes <= MAX_31_BITS;
  }

  #control(type: number, flags: number, streamId: number, ...payload: readonly number[]): void {
    this.#frames.frame(payload.length * 4, type, flags, streamId);
    for (const value of payload) this.#frames.uint32(value);
    this.#schedule();
  }

  #pump(): void {
    const senders = this.#senders;
    while (senders.length > 0 && this.#frames.length < MAX_WAITING_BYTES) {
      const sender = senders.shift()!;
      if (sender.step() === "sent") senders.push(sender);
    }
  }

  /** After all that is ready now: ticks come after microtasks. */
  #schedule(): void {
    if (this.#isScheduled || this.#isWriting || this.#closed) return;
    this.#isScheduled = true;
    nextTick(() => this.#flush());
  }

  async #flush(): Promise<void> {
    this.#isScheduled = false;
    if (this.#isWriting || this.#closed) return;
    this.#isWriting = true;
    try {
      while (this.#frames.length > 0) {
        [this.#frames, this.#inFlight] = [this.#inFlight, this.#frames];
        const bytes = this.#inFlight.view;
        for (let at = 0; at < bytes.length;) {
          this.#writes++;
          at += await this.#socket.write(at === 0 ? bytes : bytes.subarray(at));
        }
        this.#inFlight.clear();
        this.#pump();
        this.#wake();
      }
    } catch {
      // The visitor is gone, or was closed.
      this.#onFailed();
    }
    this.#isWriting = false;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
