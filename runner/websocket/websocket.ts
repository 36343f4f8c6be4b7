import type { ErrorCode } from "../errors.ts";
import { Turn } from "../turn.ts";
import { closePayload, encodeFrame, FrameDecoder, FrameError, type FrameEvent, OPCODE } from "./ws_frames.ts";

/** For the other side's part of the closing handshake. */
const CLOSE_TIMEOUT_MS = 2000;
/** A visitor who says nothing for so long is asked whether it is there, and after as long again it is gone. */
const PING_AFTER_MS = 30_000;

/** Bytes of one side of a WebSocket, after the handshake. */
export interface ByteStream {
  readonly closed: boolean;
  readonly unread: Uint8Array;
  consume(bytes: number): void;
  fill(): Promise<boolean>;
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** Both ends of one WebSocket. */
export interface WebSocketBridgeOptions {
  /** After the 101 that it got. `watch` tells that it is closed, and reads nothing. */
  visitor: ByteStream & { watch(onGone: () => void, readsOn: false): void };
  /** After its 101. */
  isolate: ByteStream;
  /** Why the isolate is gone, if that is known soon; `null` = it lives. */
  endedCode(): Promise<ErrorCode | null>;
}

/**
 * Passes messages between a visitor and an isolate, whole and in order, and each side's close code and reason to the
 * other. Pings are answered on each hop. Neither side is read on before the other has taken what it sent.
 */
export class WebSocketBridge {
  readonly #visitor: WebSocketEnd;
  readonly #isolate: WebSocketEnd;
  readonly #endedCode: WebSocketBridgeOptions["endedCode"];

  constructor({ visitor, isolate, endedCode }: WebSocketBridgeOptions) {
    this.#visitor = new WebSocketEnd(visitor, "client");
    this.#isolate = new WebSocketEnd(isolate, "server");
    this.#endedCode = endedCode;
    // While the isolate takes nothing, nobody reads what would tell that the visitor is gone.
    visitor.watch(() => this.#isolate.end(), false);
  }

  /** Runs until both sides are closed. Never rejects. */
  async run(): Promise<void> {
    const alive = setInterval(() => this.#visitor.checkAlive(), PING_AFTER_MS);
    await Promise.all([this.#fromVisitor(), this.#fromIsolate()]);
    clearInterval(alive);
    this.#visitor.end();
    this.#isolate.end();
  }

  /** Tells both sides that this end of the line goes away (RFC 6455 §7.4.1). */
  goAway(): void {
    this.#visitor.close(1001, "");
    this.#isolate.close(1001, "");
  }

  async #fromVisitor(): Promise<void> {
    try {
      await this.#visitor.passTo(this.#isolate);
    } catch (error) {
      this.#visitor.close(error instanceof FrameError ? error.closeCode : 1011, "");
    }
    // Without a close frame of the visitor's the isolate gets none either: that is no clean end.
    if (!this.#isolate.closing) this.#isolate.end();
  }

  async #fromIsolate(): Promise<void> {
    try {
      await this.#isolate.passTo(this.#visitor);
      if (!this.#visitor.closing) this.#visitor.close(1011, await this.#endedCode() ?? "connection lost");
    } catch (error) {
      this.#visitor.close(1011, "BAD_RESPONSE");
      this.#isolate.close(error instanceof FrameError ? error.closeCode : 1011, "");
    }
    if (!this.#isolate.closing) this.#isolate.end();
  }
}

/** One side of a WebSocket. */
class WebSocketEnd {
  readonly #stream: ByteStream;
  readonly #decoder: FrameDecoder;
  readonly #masks: boolean;
  /** One frame after the other. */
  #writing: Promise<void> = Promise.resolve();
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  #wasHeard = true;
  #wasAsked = false;
  /** A close frame was sent. */
  closing = false;

  /** @param role Of the other end: what a client sends is masked, and what it gets is not (RFC 6455 §5.1). */
  constructor(stream: ByteStream, role: "client" | "server") {
    this.#stream = stream;
    this.#decoder = new FrameDecoder({ masked: role === "client" });
    this.#masks = role === "server";
  }

  /**
   * Passes on what this side says, until its close frame or the end of its bytes.
   *
   * @throws {FrameError}
   */
  async passTo(other: WebSocketEnd): Promise<void> {
    const stream = this.#stream;
    const turn = new Turn();
    turn.start();
    do {
      const startedAt = performance.now();
      const input = stream.unread;
      const events = this.#decoder.decode(input);
      stream.consume(input.length);
      for (const event of events) {
        this.#wasHeard = true;
        if (event.type === "close") {
          other.close(event.code, event.reason);
          return this.close(event.code, "");
        }
        await this.#pass(event, other);
      }
      await turn.pass(startedAt);
    } while (!stream.closed && await stream.fill());
  }

  /** Sends a close frame, after which nothing is sent, and gives the other side's a while. Idempotent. */
  close(code: number | null, reason: string): void {
    if (this.closing) return;
    this.#send(OPCODE.close, closePayload(code, reason));
    this.closing = true;
    this.#closeTimer = setTimeout(() => this.#stream.close(), CLOSE_TIMEOUT_MS);
  }

  /** Closes the connection at once. */
  end(): void {
    clearTimeout(this.#closeTimer);
    this.#stream.close();
  }

  /** Asks a side that has said nothing since the last call; one that has not answered is gone. */
  checkAlive(): void {
    if (!this.#wasHeard && this.#wasAsked) return this.end();
    this.#wasAsked = !this.#wasHeard;
    if (this.#wasAsked) this.#send(OPCODE.ping, new Uint8Array(0));
    this.#wasHeard = false;
  }

  async #pass(event: Exclude<FrameEvent, { type: "close" }>, other: WebSocketEnd): Promise<void> {
    if (event.type === "text") await other.#send(OPCODE.text, event.data);
    else if (event.type === "binary") await other.#send(OPCODE.binary, event.data);
    else if (event.type === "ping") await this.#send(OPCODE.pong, event.data);
  }

  /** Waits until the other end has taken it. Never rejects: that it is gone its reading side sees, too. */
  #send(opcode: number, payload: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.closing || this.#stream.closed) return Promise.resolve();
    const frame = encodeFrame(opcode, payload, this.#masks);
    this.#writing = this.#writing.then(() => this.#stream.write(frame)).catch(() => {});
    return this.#writing;
  }
}
