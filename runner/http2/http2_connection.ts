import type { Peer } from "../http1/request_head.ts";
import type { VisitorSocket } from "../http1/visitor_connection.ts";
import type { VisitorLimits } from "../visitor_limits.ts";
import { FloodGuard } from "./flood_guard.ts";
import { dependsOnItself, type FrameHandler, FrameReader } from "./frame_reader.ts";
import type { HeaderField } from "./header_field.ts";
import { HpackDecoder } from "./hpack_decoder.ts";
import { type Http2Stream, STREAM_WINDOW_BYTES } from "./http2_stream.ts";
import { OctetWriter } from "./octet_writer.ts";
import { Outbox } from "./outbox.ts";
import { PeerSettings } from "./peer_settings.ts";
import { DEFAULT_WINDOW_BYTES, ERROR, type ErrorCode, Http2Error, MAX_31_BITS, SETTING } from "./protocol.ts";
import { RequestFields } from "./request_fields.ts";
import { StreamTable } from "./stream_table.ts";

/** What all streams of a connection may send before their consumers have read it: some that stand still stop no other. */
const CONNECTION_WINDOW_BYTES = 8 * STREAM_WINDOW_BYTES;
const MIN_WINDOW_UPDATE_BYTES = CONNECTION_WINDOW_BYTES / 8;
/** After the last frame, for the visitor to read it and leave: a reset of the connection would destroy it. */
const LINGER_MS = 1000;
/** The same, from the end of the last stream: what it sent is megabytes, perhaps. */
const STREAM_LINGER_MS = 5000;
const MAX_LINGER_BYTES = 4 * 1024 * 1024;
/** For what the visitor sends before it hears that we are going away. */
const DRAIN_MS = 1000;
const DRAIN_PING = new TextEncoder().encode("draining");
/** Reads after which others get a turn of the event loop: what is there already is read without one. */
const READS_IN_A_ROW = 32;
const HEADER_TOO_LARGE = 431;
const NOTHING = new Uint8Array(0);

/** What a connection works with. */
export interface Http2Options {
  /** The bytes below: TLS or plain. The connection's own from now on. */
  socket: VisitorSocket;
  /** What has come of it before, from the preface on. */
  received: Uint8Array;
  peer: Peer;
  limits: VisitorLimits;
  /** Serves the requests of one stream after the other, as of one HTTP/1.1 connection. Never rejects. */
  serve(stream: VisitorSocket, peer: Peer): Promise<void>;
}

/** "draining" = we have said that we are going; "refusing" = and which stream was the last. */
type State = "serving" | "draining" | "refusing" | "ended" | "closed";

/**
 * The server's end of one HTTP/2 connection (RFC 9113). Its streams are served as if they had come on HTTP/1.1 connections, which
 * are kept alive from one stream to the next.
 */
export class Http2Connection {
  readonly #socket: VisitorSocket;
  readonly #limits: VisitorLimits;
  readonly #outbox: Outbox;
  readonly #streams: StreamTable;
  readonly #reader: FrameReader;
  readonly #guard: FloodGuard;
  readonly #fields: RequestFields;
  readonly #decoder = new HpackDecoder();
  readonly #settings = new PeerSettings();
  readonly #onField = (field: HeaderField) => this.#fields.add(field);
  readonly #handler: FrameHandler = {
    data: (id, payload, flowBytes, endStream) => this.#data(id, payload, flowBytes, endStream),
    headers: (id, block, endStream, dependency) => this.#headers(id, block, endStream, dependency),
    reset: (id) => this.#reset(id),
    settings: (payload) => this.#changeSettings(payload),
    ping: (payload, isAck) => this.#ping(payload, isAck),
    windowUpdate: (id, increment) => this.#windowUpdate(id, increment),
    ignored: () => this.#guard.controlFrame(),
  };
  #state: State = "serving";
  #lastStreamId = 0;
  #requests = 0;
  #receiveWindow = CONNECTION_WINDOW_BYTES;
  #consumedBytes = 0;
  /** Since when no stream was seen open, by `performance.now()`, and after which one. */
  #idleSince = performance.now();
  #idleAfter = 0;
  #headersSince = 0;
  #drainingSince = 0;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;

  constructor({ socket, received, peer, limits, serve }: Http2Options) {
    this.#socket = socket;
    this.#limits = limits;
    this.#outbox = new Outbox(socket, () => this.close());
    this.#reader = new FrameReader(received, limits.maxHeaderBytes);
    this.#guard = new FloodGuard(limits);
    this.#fields = new RequestFields(limits.maxHeaderBytes);
    this.#streams = new StreamTable({
      outbox: this.#outbox,
      peer,
      maxStreams: limits.maxStreams,
      serve,
      consumed: (bytes) => this.#consumed(bytes),
      dataSent: () => this.#guard.dataSent(),
      failed: () => this.#end(ERROR.internal, "Cannot send a response"),
      emptied: () => this.#state === "refusing" && this.#finish(),
    });
  }

  /** No stream is open. */
  get idle(): boolean {
    return this.#streams.size === 0;
  }

  /** By `performance.now()`; `null` = a stream is open. */
  get idleSince(): number | null {
    return this.idle ? this.#idleSince : null;
  }

  /** Of request bodies that have come and that nobody has read. */
  get heldBytes(): number {
    return CONNECTION_WINDOW_BYTES - this.#receiveWindow - this.#consumedBytes;
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Serves the connection until it has ended, everything in it is over and the socket is closed. Never rejects. */
  async run(): Promise<void> {
    this.#outbox.settings([
      [SETTING.maxConcurrentStreams, this.#limits.maxStreams],
      [SETTING.initialWindowSize, STREAM_WINDOW_BYTES],
      [SETTING.maxHeaderListSize, this.#limits.maxHeaderBytes],
    ]);
    this.#outbox.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    try {
      await this.#receive();
    } catch (error) {
      console.error("Cannot go on with a connection:", error);
    }
    this.close();
    await this.#streams.served();
  }

  /** Tells the visitor to go. The streams in flight are finished, and then the connection ends. Idempotent. */
  drain(): void {
    if (this.#state !== "serving") return;
    this.#state = "draining";
    this.#drainingSince = performance.now();
    this.#outbox.goAway(MAX_31_BITS, ERROR.none);
    this.#outbox.ping(DRAIN_PING, false);
  }

  /** Cuts everything. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#lingerTimer);
    this.#outbox.close();
    this.#streams.abortAll();
    this.#socket.close();
  }

  /**
   * Enforces the limits in time. To be called about once a second.
   *
   * @param nowMs By `performance.now()`.
   */
  sweep(nowMs: number): void {
    if (this.#state === "closed") return;
    const { headerTimeoutMs, keepAliveTimeoutMs, writeTimeoutMs } = this.#limits;
    if (this.#outbox.stalledMs(nowMs) > writeTimeoutMs) return this.close();
    if (this.#state === "ended") return;
    this.#guard.sweep(nowMs);
    this.#streams.sweep(nowMs - writeTimeoutMs);
    if (this.#state === "draining" && nowMs - this.#drainingSince >= DRAIN_MS) this.#refuse();
    if (!this.#reader.headersPending) this.#headersSince = 0;
    else if (this.#headersSince === 0) this.#headersSince = nowMs;
    else if (nowMs - this.#headersSince > headerTimeoutMs) {
      return this.#end(ERROR.none, "Cannot wait any longer for a header block");
    }
    if (!this.idle || this.#lastStreamId !== this.#idleAfter) this.#idleSince = nowMs;
    this.#idleAfter = this.#lastStreamId;
    if (!this.idle) return;
    this.#outbox.shrink();
    const maxMs = this.#lastStreamId === 0 ? headerTimeoutMs : keepAliveTimeoutMs;
    if (nowMs - this.#idleSince > maxMs) this.#end(ERROR.none, "Cannot wait any longer for a request");
  }

  async #receive(): Promise<void> {
    let lingerBytes = MAX_LINGER_BYTES;
    for (let reads = 1;; reads++) {
      if (this.#state === "ended") lingerBytes -= this.#reader.discard();
      else this.#readFrames();
      while (this.#outbox.overfull) await this.#outbox.progress();
      if (this.idle) this.#reader.shrink();
      if (lingerBytes < 0 || !await this.#reader.fill(this.#socket)) return;
      if (reads % READS_IN_A_ROW === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #readFrames(): void {
    for (let isRead = false; !isRead;) {
      try {
        this.#reader.read(this.#handler);
        isRead = true;
      } catch (error) {
        isRead = !this.#endStream(error);
      }
    }
    // A list may have thousands of fields, and be the last one for long.
    this.#fields.begin(false);
    this.#streams.deliver();
  }

  /** After an error; false = the connection has ended. */
  #endStream(error: unknown): boolean {
    if (!(error instanceof Http2Error)) throw error;
    const { streamId, code } = error;
    if (streamId === 0) {
      this.#end(code, error.message);
      return false;
    }
    this.#streams.reset(streamId, code);
    try {
      this.#guard.streamReset();
      return true;
    } catch (flood) {
      return this.#endStream(flood);
    }
  }

  #headers(id: number, block: Uint8Array, endStream: boolean, dependency: number): void {
    const stream = this.#streams.get(id);
    const fields = this.#fields;
    fields.begin(stream !== undefined);
    // Whatever becomes of the stream, since both tables must stay the same.
    this.#decoder.decode(block, 0, block.length, this.#onField);
    if (stream !== undefined) return this.#trailers(stream, endStream);
    if (id <= this.#lastStreamId && this.#isOver(id)) return;
    if (id <= this.#lastStreamId || id % 2 === 0) {
      throw new Http2Error(ERROR.protocol, `HEADERS on stream ${id}`);
    }
    if (this.#state !== "serving" && this.#state !== "draining") return this.#streams.ignore(id);
    this.#lastStreamId = id;
    if (dependency === id) throw dependsOnItself(id);
    if (fields.tooLarge) return this.#answerTooLarge(id, endStream);
    if (fields.malformed || endStream && fields.contentLength > 0) {
      throw new Http2Error(ERROR.protocol, "malformed request", id);
    }
    if (!this.#streams.open(id, fields, endStream, this.#settings.windowBytes)) {
      this.#streams.reset(id, ERROR.refusedStream);
      return this.#guard.controlFrame();
    }
    this.#guard.request();
    if (++this.#requests === this.#limits.maxRequestsPerConnection) this.drain();
  }

  #trailers(stream: Http2Stream, endStream: boolean): void {
    if (stream.requestEnded) throw new Http2Error(ERROR.streamClosed, "HEADERS after the end", stream.id);
    if (!endStream || this.#fields.malformed) {
      throw new Http2Error(ERROR.protocol, "malformed trailers", stream.id);
    }
    stream.receive(NOTHING, 0, true);
    this.#streams.received(stream);
  }

  #answerTooLarge(id: number, endStream: boolean): void {
    const block = new OctetWriter();
    this.#outbox.encoder.begin(HEADER_TOO_LARGE, block);
    this.#outbox.headers(id, block, true);
    if (endStream) this.#streams.abort(id, false);
    else this.#streams.reset(id, ERROR.none);
    this.#guard.controlFrame();
  }

  #data(id: number, payload: Uint8Array, flowBytes: number, endStream: boolean): void {
    this.#receiveWindow -= flowBytes;
    if (this.#receiveWindow < 0) throw new Http2Error(ERROR.flowControl, "more than the window allows");
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.requestEnded) {
      this.#consumed(flowBytes);
      if (stream === undefined && this.#isOver(id)) return;
      this.#refuseIdle(id, "DATA");
      throw new Http2Error(ERROR.streamClosed, "DATA after the end", id);
    }
    if (payload.length === 0 && !endStream) this.#guard.controlFrame();
    stream.receive(payload, flowBytes, endStream);
    this.#streams.received(stream);
  }

  /** Whether a stream was ended by us and the visitor may not have known; when it did, that ends the connection. */
  #isOver(id: number): boolean {
    const end = this.#streams.howEnded(id);
    if (end === "ended") throw new Http2Error(ERROR.streamClosed, `frame on stream ${id}, which had ended`);
    if (end === "reset by us") this.#guard.controlFrame();
    return end === "reset by us";
  }

  /** Of streams that have not begun nobody can say anything but that they begin (RFC 9113 §5.1). */
  #refuseIdle(id: number, type: string): void {
    if (id <= this.#lastStreamId || this.#streams.howEnded(id) !== "unknown") return;
    throw new Http2Error(ERROR.protocol, `${type} on stream ${id}, which has not begun`);
  }

  #reset(id: number): void {
    this.#refuseIdle(id, "RST_STREAM");
    if (this.#streams.get(id) === undefined) return this.#guard.controlFrame();
    this.#streams.abort(id, false);
    this.#guard.streamReset();
  }

  #changeSettings(payload: Uint8Array | null): void {
    this.#guard.controlFrame();
    if (payload === null) return;
    const before = this.#settings.windowBytes;
    this.#settings.read(payload, this.#outbox.encoder);
    if (!this.#streams.changeWindows(this.#settings.windowBytes - before)) throw tooWide(0);
    this.#outbox.acknowledgeSettings();
  }

  #ping(payload: Uint8Array, isAck: boolean): void {
    this.#guard.controlFrame();
    if (!isAck) return this.#outbox.ping(payload, true);
    if (this.#state === "draining" && payload.every((octet, i) => octet === DRAIN_PING[i])) this.#refuse();
  }

  #windowUpdate(id: number, increment: number): void {
    this.#guard.controlFrame();
    if (id === 0) {
      const wasClosed = this.#outbox.windowBytes === 0;
      if (!this.#outbox.openWindow(increment)) throw tooWide(0);
      return wasClosed ? this.#streams.unblock() : undefined;
    }
    this.#refuseIdle(id, "WINDOW_UPDATE");
    if (this.#streams.get(id)?.openWindow(increment) === false) throw tooWide(id);
  }

  #consumed(bytes: number): void {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < MIN_WINDOW_UPDATE_BYTES) return;
    this.#outbox.windowUpdate(0, this.#consumedBytes);
    this.#receiveWindow += this.#consumedBytes;
    this.#consumedBytes = 0;
  }

  /** Streams that begin from now on are the visitor's to send again, elsewhere. */
  #refuse(): void {
    this.#state = "refusing";
    this.#outbox.goAway(this.#lastStreamId, ERROR.none);
    if (this.idle) this.#finish();
  }

  /** @param why For whoever looks at what the visitor gets (RFC 9113 §6.8). */
  #end(code: ErrorCode, why: string): void {
    if (this.#state === "ended" || this.#state === "closed") return;
    this.#outbox.goAway(this.#lastStreamId, code, why);
    this.#finish();
  }

  /** Ends the connection in such a way that the visitor can read all of it. */
  async #finish(): Promise<void> {
    this.#state = "ended";
    const idleMs = performance.now() - this.#idleSince;
    this.#streams.abortAll();
    try {
      while (!this.#outbox.empty) await this.#outbox.progress();
      this.#closeAfter(this.#limits.writeTimeoutMs);
      await this.#socket.closeWrite();
      this.#closeAfter(Math.max(LINGER_MS, STREAM_LINGER_MS - idleMs));
    } catch {
      // The visitor was faster.
    }
  }

  #closeAfter(ms: number): void {
    clearTimeout(this.#lingerTimer);
    if (!this.#isClosed) this.#lingerTimer = setTimeout(() => this.close(), ms);
  }
}

function tooWide(streamId: number): Http2Error {
  return new Http2Error(ERROR.flowControl, "window of more than 2^31-1 bytes", streamId);
}
