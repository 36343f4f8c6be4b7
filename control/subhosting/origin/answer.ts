import { Turn } from "../../scheduling/turn.ts";
import { CallFailure } from "./call_failure.ts";
import type { HeldBytes } from "./held_bytes.ts";
import type { ReadTurns } from "./read_turns.ts";

/** In the errors of Deno's `fetch`. */
const DECOMPRESSION = /gzip|deflate|brotli/i;

/** An answer comes in so many pieces, and one more for each so many bytes: each costs time, and memory while it is held. */
const MAX_PIECES = 20_000;
const MIN_PIECE_BYTES = 512;
/** Of memory, besides what is in it. */
const PIECE_BYTES = 512;

/** What an answer shares with others of its subhoster, and its end. */
export interface AnswerOptions {
  /** Ends the body. */
  signal: AbortSignal;
  held: HeldBytes;
  turns: ReadTurns;
}

/** What an origin has begun to answer. */
export class Answer implements AsyncDisposable {
  readonly headers: Headers;
  /** In Deno, a signal ends the body only as long as this is reachable: its body alone does not keep it. */
  readonly #response: Response;
  readonly #signal: AbortSignal;
  readonly #held: HeldBytes;
  readonly #turns: ReadTurns;
  #taken = 0;

  constructor(response: Response, { signal, held, turns }: AnswerOptions) {
    this.headers = response.headers;
    this.#response = response;
    this.#signal = signal;
    this.#held = held;
    this.#turns = turns;
  }

  /** What was not read is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.release(this.#taken);
    await this.#response.body?.cancel().catch(() => {});
  }

  /**
   * The body as it arrives, decompressed.
   *
   * @throws {CallFailure}
   * @throws the signal's reason
   */
  async *chunks(maxBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const reader = this.#response.body?.getReader();
    if (reader === undefined) return;
    // What is there already, compressed, is read without a turn of the event loop.
    let turn = new Turn();
    try {
      for (let size = 0, pieces = 0;;) {
        const { done, value } = await this.#read(reader);
        if (done) return;
        size += value.length;
        if (size > maxBytes) throw new CallFailure("invalid", `its answer is longer than ${maxBytes} bytes`);
        if (++pieces > MAX_PIECES + size / MIN_PIECE_BYTES) {
          throw new CallFailure(
            "invalid",
            `its answer comes in pieces of less than ${MIN_PIECE_BYTES} bytes`,
          );
        }
        yield value;
        if (!turn.isOver()) continue;
        await this.#turns.next();
        turn = new Turn();
      }
    } finally {
      reader.releaseLock();
    }
  }

  /** As {@linkcode chunks}, of which all may be kept until this is disposed of. */
  async *heldChunks(maxBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for await (const chunk of this.chunks(maxBytes)) {
      const bytes = chunk.length + PIECE_BYTES;
      this.#held.take(bytes);
      this.#taken += bytes;
      // In Deno a piece, however small, is a part of 64 KiB.
      yield chunk.length < chunk.buffer.byteLength ? chunk.slice() : chunk;
    }
  }

  /** The whole body. Throws what {@linkcode chunks} does. */
  async bytes(maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for await (const chunk of this.heldChunks(maxBytes)) {
      chunks.push(chunk);
      length += chunk.length;
    }
    const whole = new Uint8Array(length);
    const turn = new Turn();
    let at = 0;
    for (const chunk of chunks) {
      if (turn.isOver()) await turn.next();
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  async #read(
    reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  ): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
    try {
      return await reader.read();
    } catch (cause) {
      this.#signal.throwIfAborted();
      const { message } = cause as Error;
      throw DECOMPRESSION.test(message)
        ? new CallFailure("invalid", `its answer cannot be decompressed: ${message}`, { cause })
        : new CallFailure("unavailable", `its answer broke off: ${message}`, { isDead: true, cause });
    }
  }
}
