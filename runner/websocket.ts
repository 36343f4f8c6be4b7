import type { Connection } from "./connection.ts";
import type { ErrorCode } from "./errors.ts";
import { Turn } from "./turn.ts";
import {
  closePayload,
  encodeFrame,
  FrameDecoder,
  FrameError,
  type FrameEvent,
  isCloseCode,
  OPCODE,
} from "./ws_frames.ts";

/** Sent to a visitor who reads slower than the isolate writes; past either the isolate is not read. */
const MAX_VISITOR_BUFFERED_BYTES = 1024 * 1024;
const MAX_VISITOR_BUFFERED_MESSAGES = 4096;
/** `WebSocket` has no event for a buffer that drained. */
const DRAIN_POLL_MS = 10;
/** A visitor who takes nothing for so long is gone. */
const MAX_STALL_MS = 60_000;
/** For an isolate that reads slower than the visitor writes; `WebSocket` cannot be told to read less. */
const MAX_ISOLATE_QUEUED_BYTES = 32 * 1024 * 1024;
/** What a queued frame costs besides its bytes. */
const FRAME_OVERHEAD_BYTES = 128;
/** For the other side's part of the closing handshake. */
const CLOSE_TIMEOUT_MS = 2000;

const encoder = new TextEncoder();

/** Both ends of one WebSocket. */
export interface WebSocketBridgeOptions {
  /** The visitor's, just upgraded. */
  visitor: WebSocket;
  /** The isolate's, after its 101. */
  isolate: Connection;
  /** Why the isolate is gone, if that is known soon; `null` = it lives. */
  endedCode(): Promise<ErrorCode | null>;
}

/**
 * Passes messages between a visitor and an isolate, whole and in order, and each side's close code and reason to the
 * other. Pings are answered on each hop. **Invariant:** no event handler throws, because that would end the worker.
 */
export class WebSocketBridge {
  readonly #options: WebSocketBridgeOptions;
  readonly #decoder = new FrameDecoder();
  readonly #opened = Promise.withResolvers<void>();
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing: Promise<void> | null = null;
  #closing = false;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  #bufferedMessages = 0;

  constructor(options: WebSocketBridgeOptions) {
    this.#options = options;
    const { visitor } = options;
    visitor.binaryType = "arraybuffer";
    visitor.onopen = () => this.#opened.resolve();
    visitor.onmessage = ({ data }) => this.#fromVisitor(data);
    visitor.onclose = ({ code, reason }) => this.#visitorClosed(code, reason);
    // The close event that follows says the same.
    visitor.onerror = (event) => event.preventDefault();
  }

  /** Runs until the isolate's side is closed. */
  async run(): Promise<void> {
    const { isolate, endedCode } = this.#options;
    await this.#opened.promise;
    try {
      do {
        const input = isolate.unread;
        const events = this.#decoder.decode(input);
        isolate.consume(input.length);
        for (const event of events) await this.#fromIsolate(event);
      } while (!isolate.closed && await isolate.fill());
      if (this.#visitorIsOpen) this.#closeVisitor(1011, await endedCode() ?? "connection lost");
    } catch (error) {
      this.#closeVisitor(1011, "BAD_RESPONSE");
      if (!(error instanceof FrameError)) throw error;
      this.#closeIsolate(error.closeCode, "");
      await this.#writing;
    } finally {
      clearTimeout(this.#closeTimer);
      isolate.close();
    }
  }

  /** Tells both sides that this end of the line goes away (RFC 6455 §7.4.1). */
  goAway(): void {
    this.#closeVisitor(1001, "");
    this.#closeIsolate(1001, "");
  }

  async #fromIsolate(event: FrameEvent): Promise<void> {
    if (event.type === "text" || event.type === "binary") {
      if (!this.#visitorIsOpen) return;
      this.#options.visitor.send(event.data);
      await this.#visitorTakes(event.data.length === 0);
    } else if (event.type === "ping") this.#sendFrame(OPCODE.pong, event.data);
    else if (event.type === "close") {
      this.#closeVisitor(event.code, event.reason);
      this.#closeIsolate(event.code, "");
      await this.#writing;
      this.#options.isolate.close();
    }
  }

  /** Waits until the visitor has taken most of what was sent, or is gone. */
  async #visitorTakes(empty: boolean): Promise<void> {
    const { visitor } = this.#options;
    // An empty message does not show in `bufferedAmount`: without a pause a flood of them would have no bound.
    if (empty) return await delay(DRAIN_POLL_MS);
    this.#bufferedMessages = visitor.bufferedAmount === 0 ? 0 : this.#bufferedMessages + 1;
    const target = this.#bufferedMessages < MAX_VISITOR_BUFFERED_MESSAGES ? MAX_VISITOR_BUFFERED_BYTES : 0;
    let least = visitor.bufferedAmount;
    let stalledMs = 0;
    while (visitor.bufferedAmount > target && this.#visitorIsOpen) {
      if (stalledMs >= MAX_STALL_MS) return this.#closeVisitor(1013, "too slow");
      await delay(DRAIN_POLL_MS);
      stalledMs = visitor.bufferedAmount < least ? 0 : stalledMs + DRAIN_POLL_MS;
      least = Math.min(least, visitor.bufferedAmount);
    }
  }

  #fromVisitor(data: string | ArrayBuffer): void {
    if (typeof data === "string") this.#sendFrame(OPCODE.text, encoder.encode(data));
    else this.#sendFrame(OPCODE.binary, new Uint8Array(data));
  }

  #visitorClosed(code: number, reason: string): void {
    this.#opened.resolve();
    // 1005 = a close frame without a code; anything else that cannot stand in a frame = no close frame at all.
    if (code === 1005) this.#closeIsolate(null, "");
    else if (isCloseCode(code)) this.#closeIsolate(code, reason);
    else this.#options.isolate.close();
  }

  #sendFrame(opcode: number, payload: Uint8Array<ArrayBuffer>): void {
    if (this.#closing || this.#options.isolate.closed) return;
    const frame = encodeFrame(opcode, payload);
    const bytes = frame.length + FRAME_OVERHEAD_BYTES;
    // A single message may be longer than the queue.
    if (this.#queue.length > 0 && this.#queuedBytes + bytes > MAX_ISOLATE_QUEUED_BYTES) {
      this.#closeVisitor(1013, "too fast");
      return this.#options.isolate.close();
    }
    this.#queue.push(frame);
    this.#queuedBytes += bytes;
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    const turn = new Turn();
    turn.start();
    try {
      for (let frame = this.#queue[0]; frame !== undefined; frame = this.#queue[0]) {
        const startedAt = performance.now();
        await this.#options.isolate.write(frame);
        await turn.pass(startedAt);
        this.#queue.shift();
        this.#queuedBytes -= frame.length + FRAME_OVERHEAD_BYTES;
      }
    } catch {
      // The isolate's end: the reading side sees it, too, and what is queued has no receiver.
      this.#queue.length = 0;
    }
    this.#writing = null;
  }

  get #visitorIsOpen(): boolean {
    return this.#options.visitor.readyState === WebSocket.OPEN;
  }

  #closeVisitor(code: number | null, reason: string): void {
    if (!this.#visitorIsOpen) return;
    if (code === null) this.#options.visitor.close();
    else this.#options.visitor.close(code, reason);
  }

  #closeIsolate(code: number | null, reason: string): void {
    this.#sendFrame(OPCODE.close, closePayload(code, reason));
    this.#closing = true;
    this.#closeTimer ??= setTimeout(() => this.#options.isolate.close(), CLOSE_TIMEOUT_MS);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
