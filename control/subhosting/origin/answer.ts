import { Turn } from "../../turn.ts";
import { CallFailure } from "./call_failure.ts";
import type { HeldBytes } from "./held_bytes.ts";

/** In the errors of Deno's `fetch`. */
const DECOMPRESSION = /gzip|deflate|brotli/i;

/** What an origin has begun to answer. */
export class Answer implements AsyncDisposable {
  readonly headers: Headers;
  readonly #body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  readonly #signal: AbortSignal;
  readonly #held: HeldBytes;
  #taken = 0;

  /** @param signal Ends the body. */
  constructor({ headers, body }: Response, { signal, held }: { signal: AbortSignal; held: HeldBytes }) {
    this.headers = headers;
    this.#body = body;
    this.#signal = signal;
    this.#held = held;
  }

  /** What was not read is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.release(this.#taken);
    await this.#body?.cancel().catch(() => {});
  }

  /**
   * The body as it arrives, decompressed.
   *
   * @throws {CallFailure}
   * @throws the signal's reason
   */
  async *chunks(maxBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const reader = this.#body?.getReader();
    if (reader === undefined) return;
    try {
      for (let size = 0;;) {
        const { done, value } = await this.#read(reader);
        if (done) return;
        size += value.length;
        if (size > maxBytes) throw new CallFailure("invalid", `its answer is longer than ${maxBytes} bytes`);
        yield value;
      }
    } finally {
      reader.releaseLock();
    }
  }

  /** As {@linkcode chunks}, of which all may be kept until this is disposed of. */
  async *heldChunks(maxBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for await (const chunk of this.chunks(maxBytes)) {
      this.#held.take(chunk.length);
      this.#taken += chunk.length;
      yield chunk;
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
