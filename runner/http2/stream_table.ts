import type { Peer } from "../http1/request_head.ts";
import type { VisitorSocket } from "../http1/visitor_connection.ts";
import { ClosedStreams } from "./closed_streams.ts";
import { Http2Stream, type StreamOwner } from "./http2_stream.ts";
import type { Outbox } from "./outbox.ts";
import { ERROR, type ErrorCode } from "./protocol.ts";
import type { RequestFields } from "./request_fields.ts";

/** Streams that the visitor has reset count until their consumers know, but less: so many times as many may be there. */
const MAX_SERVED_PER_STREAM = 2;

/** What a table of streams works with. */
export interface StreamTableOptions {
  outbox: Outbox;
  peer: Peer;
  maxStreams: number;
  serve(stream: VisitorSocket, peer: Peer): Promise<void>;
  consumed(bytes: number): void;
  dataSent(): void;
  /** Something of ours has gone wrong: what both sides know of the connection may not be the same any more. */
  failed(): void;
  /** No stream is open any more. */
  emptied(): void;
}

/** The streams of one connection, and who serves them. */
export class StreamTable {
  readonly #options: StreamTableOptions;
  readonly #owner: StreamOwner;
  /** By id: what one side at least has not ended. */
  readonly #open = new Map<number, Http2Stream>();
  readonly #closed = new ClosedStreams();
  /** All that are served, and those that will be as soon as something is handed over. */
  readonly #served = new Set<Http2Stream>();
  /** Whose consumer waits for a request; the last one is the next to be used. */
  readonly #spare: Http2Stream[] = [];
  #fewestSpare = 0;
  /** What has something to hand over, perhaps several times. */
  readonly #ready: Http2Stream[] = [];
  readonly #consumers = new Set<Promise<void>>();
  /** How many times a stream had its turn when the connection's window opened. */
  #unblocked = 0;

  constructor(options: StreamTableOptions) {
    this.#options = options;
    const { outbox, consumed, dataSent, failed } = options;
    this.#owner = {
      outbox,
      consumed,
      dataSent,
      failed,
      ended: (stream, isReusable) => this.#end(stream, isReusable),
      cut: (stream, code) => this.reset(stream.id, code),
      closed: (stream) => this.#forget(stream),
    };
  }

  /** How many streams are open. */
  get size(): number {
    return this.#open.size;
  }

  /** The stream `id`, if it is open. */
  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  /** How a stream ended that is not open any more. */
  howEnded(id: number): ReturnType<ClosedStreams["howEnded"]> {
    return this.#closed.howEnded(id);
  }

  /** Takes no notice of a stream, nor of what still comes for it. */
  ignore(id: number): void {
    this.#closed.add(id, true);
  }

  /** Opens a stream; false = there are too many. */
  open(id: number, fields: RequestFields, endStream: boolean, sendWindow: number): boolean {
    const { maxStreams } = this.#options;
    if (this.#open.size >= maxStreams) return false;
    if (this.#served.size - this.#spare.length >= maxStreams * MAX_SERVED_PER_STREAM) return false;
    const stream = this.#spare.pop() ?? this.#add();
    this.#fewestSpare = Math.min(this.#fewestSpare, this.#spare.length);
    this.#open.set(id, stream);
    this.#ready.push(stream);
    stream.open(id, fields, endStream, sendWindow);
    return true;
  }

  /** A stream has taken something that is to be handed over. */
  received(stream: Http2Stream): void {
    this.#ready.push(stream);
    if (stream.requestEnded && stream.responseEnded) this.#end(stream, false);
  }

  /** Hands over what has come, and has new streams served. */
  deliver(): void {
    for (const stream of this.#ready) {
      if (stream.served || stream.id === 0) stream.deliver();
      else this.#serve(stream);
    }
    this.#ready.length = 0;
  }

  /** Ends a stream, open or not, and tells the visitor. */
  reset(id: number, code: ErrorCode): void {
    this.#options.outbox.reset(id, code);
    this.abort(id, true);
  }

  /** Ends a stream. @param byUs The visitor does not know yet. */
  abort(id: number, byUs: boolean): void {
    this.#closed.add(id, byUs);
    const stream = this.#open.get(id);
    if (stream === undefined) return;
    this.#remove(id);
    // Broken off in the same read as it began: nobody has to hear of it.
    if (!stream.untouched || !this.#ready.includes(stream)) return stream.abort();
    stream.recall();
    this.#spare.push(stream);
  }

  /** The connection's window has opened: streams take turns, because it may be for a few octets only. */
  unblock(): void {
    const { outbox } = this.#options;
    const streams = [...this.#open.values()];
    for (let left = streams.length; left > 0 && outbox.windowBytes > 0; left--) {
      streams[this.#unblocked++ % streams.length]!.unblock();
    }
  }

  /** The window of all streams has changed by so many bytes; false = for one that is more than a window can be. */
  changeWindows(bytes: number): boolean {
    let isValid = true;
    for (const stream of this.#open.values()) isValid = stream.openWindow(bytes) && isValid;
    return isValid;
  }

  /** Ends streams whose window has been closed since then, and lets go of what was not needed since the last call. */
  sweep(blockedSince: number): void {
    for (const [id, stream] of this.#open) {
      if (stream.blockedAt !== 0 && stream.blockedAt < blockedSince) this.reset(id, ERROR.cancel);
    }
    for (const stream of this.#spare.splice(0, this.#fewestSpare)) stream.close();
    this.#fewestSpare = this.#spare.length;
  }

  /** Ends all of them without a word to the visitor. */
  abortAll(): void {
    this.#ready.length = 0;
    this.#open.clear();
    for (const stream of this.#served) stream.abort();
  }

  /** Waits until nobody serves a stream any more. */
  async served(): Promise<void> {
    await Promise.all(this.#consumers);
  }

  #add(): Http2Stream {
    const stream = new Http2Stream(this.#owner);
    this.#served.add(stream);
    return stream;
  }

  #serve(stream: Http2Stream): void {
    const { serve, peer } = this.#options;
    stream.served = true;
    const consumer = serve(stream, peer).then(() => {
      this.#consumers.delete(consumer);
      stream.close();
    });
    this.#consumers.add(consumer);
  }

  #end(stream: Http2Stream, isReusable: boolean): void {
    this.#closed.add(stream.id, false);
    this.#remove(stream.id);
    stream.id = 0;
    if (isReusable) this.#spare.push(stream);
  }

  #remove(id: number): void {
    this.#open.delete(id);
    if (this.#open.size === 0) this.#options.emptied();
  }

  #forget(stream: Http2Stream): void {
    this.#served.delete(stream);
    const at = this.#spare.indexOf(stream);
    if (at !== -1) this.#spare.splice(at, 1);
  }
}
