import type { Connection } from "./connection.ts";
import { GatewayError } from "./errors.ts";
import { Turn } from "./turn.ts";

/**
 * How long the head waits for the first bytes of the body, to leave in one write with them. Also decides whether an HTTP/2
 * request without content-length has a body at all.
 */
const PEEK_MS = 5;
/**
 * A body that is longer is read in pieces of this size: `Deno.serve` keeps what arrives faster than it is read in one
 * buffer, and moves all of it at each read.
 */
const LONG_READ_BYTES = 1024 * 1024;
/** How far a visitor who cannot be slowed down may be ahead of the isolate; more ends the request. */
const MAX_QUEUED_BYTES = 1024 * 1024 * 1024;
const CONTENT_LENGTH = /^\d{1,15}$/;
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");
const encoder = new TextEncoder();

type BodyReader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;
type Chunk = ReadableStreamReadResult<Uint8Array>;

/** A visitor's request body on its way to an isolate, with the visitor's own framing as far as it is known. */
export class RequestBody {
  readonly #reader: BodyReader;
  /** By the visitor's content-length; infinite when the body ends where its chunks do. */
  #remainingBytes: number;
  #next: Promise<Chunk> | null;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing: Promise<void> | null = null;
  #wake = () => {};
  /** Everything has come from the visitor. */
  #received: boolean;
  /** The isolate takes no more. */
  #refused = false;
  #isHurried = false;
  #complete: boolean;
  #failed = false;
  readonly #ended = Promise.withResolvers<void>();
  /** The header line of the framing with its CRLF; "" = no body. */
  readonly framing: string;
  /** The first bytes as they go on the wire, if they were there at once. */
  readonly first: Uint8Array | null;

  private constructor(
    reader: BodyReader,
    contentLength: string | null,
    first: Chunk | null,
    next: Promise<Chunk> | null,
  ) {
    this.#reader = reader;
    this.#next = next;
    this.#remainingBytes = contentLength === null ? Infinity : Number(contentLength);
    const empty = contentLength === null && first?.done === true;
    if (empty) this.framing = "";
    else if (contentLength === null) this.framing = "transfer-encoding: chunked\r\n";
    else this.framing = `content-length: ${contentLength}\r\n`;
    this.first = first?.value === undefined ? null : this.#frame(first.value);
    this.#complete = this.#received = empty || this.#remainingBytes === 0;
  }

  /**
   * Looks at the first bytes of a request's body.
   *
   * @throws {GatewayError} `BAD_REQUEST`
   */
  static async open(body: ReadableStream<Uint8Array>, headers: Headers): Promise<RequestBody> {
    const contentLength = headers.get("content-length");
    const transferEncoding = headers.get("transfer-encoding");
    if (contentLength !== null && !CONTENT_LENGTH.test(contentLength)) {
      throw new GatewayError("BAD_REQUEST", `Cannot read a body of content-length "${contentLength}"`);
    }
    if (transferEncoding !== null && transferEncoding.toLowerCase() !== "chunked") {
      throw new GatewayError("BAD_REQUEST", `Cannot read a body of transfer-encoding "${transferEncoding}"`);
    }
    const isLong = contentLength !== null && Number(contentLength) > LONG_READ_BYTES;
    const reader = isLong ? new LongReader(body) : body.getReader();
    const next = readChunk(reader);
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(resolve, PEEK_MS, null);
    try {
      const first = await Promise.race([next, late]);
      return new RequestBody(reader, contentLength, first, first === null ? next : null);
    } catch (error) {
      throw new GatewayError("BAD_REQUEST", `Cannot read the body: ${error}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Everything was sent, so the connection is ready for another request. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Resolves when nothing more will be read from the visitor. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The visitor's bytes ended too early or were malformed. */
  get failed(): boolean {
    return this.#failed;
  }

  /**
   * Sends what follows `first`. If the visitor fails, closes `connection`, because only that tells the isolate. If the
   * isolate stops reading, drops the rest, because its response may be there to be read. Never rejects.
   */
  async pump(connection: Connection): Promise<void> {
    const turn = new Turn();
    turn.start();
    try {
      while (!this.#received && !this.#refused) {
        const startedAt = performance.now();
        await this.#receive();
        this.#writing ??= this.#write(connection);
        await this.#room();
        await turn.pass(startedAt);
      }
      await this.#writing;
      this.#complete = this.#received && !this.#refused;
      // Only a stream that was read to its end lets Deno.serve close the connection of a visitor who asked for it.
      if (this.#complete && this.#remainingBytes === 0) await this.#reader.read();
    } catch {
      this.#failed = true;
      connection.close();
      this.cancel();
    }
    this.#ended.resolve();
  }

  /**
   * From now on the visitor is read however slowly the isolate reads: while `Deno.serve` sends a streamed response it
   * receives the request's body without a bound, and keeps what is not read.
   */
  hurry(): void {
    this.#isHurried = true;
    this.#wake();
  }

  /** Drops what the visitor has not sent yet. Idempotent. */
  cancel(): void {
    // Rejects if the visitor is gone, which is whom it would tell.
    this.#reader.cancel().catch(() => {});
    this.#ended.resolve();
  }

  async #receive(): Promise<void> {
    const chunk = await (this.#next ?? readChunk(this.#reader));
    this.#next = null;
    if (this.#refused) return;
    if (chunk.done && this.#remainingBytes !== Infinity) {
      throw new RangeError("Cannot pass body: shorter than its content-length");
    }
    const bytes = chunk.done ? LAST_CHUNK : this.#frame(chunk.value);
    this.#received = chunk.done || this.#remainingBytes === 0;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  async #write(connection: Connection): Promise<void> {
    try {
      for (let bytes; (bytes = this.#queue[0]) !== undefined;) {
        await connection.write(bytes);
        this.#queue.shift();
        this.#queuedBytes -= bytes.length;
        if (this.#reader instanceof LongReader) this.#reader.recycle(bytes);
        this.#wake();
      }
    } catch {
      this.#refused = true;
      this.cancel();
    }
    this.#writing = null;
    this.#wake();
  }

  /** Waits until what was received is sent or, in a hurry, not longer than for the event loop's turn. */
  async #room(): Promise<void> {
    while (this.#writing !== null && this.#queuedBytes > 0 && !this.#isHurried) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#queuedBytes > MAX_QUEUED_BYTES) {
      throw new RangeError(`Cannot pass body: the isolate is over ${MAX_QUEUED_BYTES} bytes behind`);
    }
  }

  #frame(data: Uint8Array): Uint8Array {
    // One byte more would be the start of another request.
    if (data.length > this.#remainingBytes) {
      throw new RangeError("Cannot pass body: longer than its content-length");
    }
    this.#remainingBytes -= data.length;
    if (this.#remainingBytes !== Infinity) return data;
    const size = encoder.encode(`${data.length.toString(16)}\r\n`);
    const framed = new Uint8Array(size.length + data.length + 2);
    framed.set(size);
    framed.set(data, size.length);
    framed.set([0x0d, 0x0a], framed.length - 2);
    return framed;
  }
}

/** Reads long pieces, into the same memory where it was given back. */
class LongReader implements BodyReader {
  readonly #reader: ReadableStreamBYOBReader;
  #buffer: ArrayBufferLike | null = null;

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader({ mode: "byob" });
  }

  async read(): Promise<Chunk> {
    const buffer = this.#buffer ?? new ArrayBuffer(LONG_READ_BYTES);
    this.#buffer = null;
    return await this.#reader.read(new Uint8Array(buffer)) as Chunk;
  }

  /** What was read is not needed any more. */
  recycle({ buffer }: Uint8Array): void {
    this.#buffer = buffer;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** An empty chunk would be the last one on the wire. */
async function readChunk(reader: BodyReader): Promise<Chunk> {
  for (;;) {
    const chunk = await reader.read();
    if (chunk.done || chunk.value.length > 0) return chunk;
  }
}
