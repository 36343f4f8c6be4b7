import { ChunkedDecoder, LAST_CHUNK } from "./chunked_decoder.ts";
import { headEnd } from "./field_scanner.ts";
import { decodeLatin1, encodeLatin1 } from "./octets.ts";
import { ProtocolError, type ResponseHead, ResponseReader } from "./response_head.ts";
import { STATUS } from "./errors.ts";
import type { VisitorSocket } from "./visitor_connection.ts";

/** With which a `Response` takes no body, not even an empty one (Fetch §2.2.3). */
const NULL_BODY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304]);
/** Of the connection, or of a framing that HTTP/2 has of its own (RFC 9113 §8.2.2). */
const DROPPED_FIELDS: ReadonlySet<string> = new Set(["connection", "transfer-encoding"]);

const utf8 = new TextEncoder();

/**
 * One request that `Deno.serve` took, as a connection that brings it in HTTP/1.1 and takes the response. What is written to
 * it is our own, so it is read without mistrust.
 */
export class Http2Request implements VisitorSocket {
  readonly #method: string;
  readonly #body: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #isChunked: boolean;
  readonly #response = Promise.withResolvers<Response>();
  readonly #whenClosed = Promise.withResolvers<null>();
  #unread: Uint8Array;
  /** Of the response, before its head is whole. */
  #head = new Uint8Array(0);
  #decoder: ChunkedDecoder | null = null;
  #output: ReadableStreamDefaultController<Uint8Array> | null = null;
  #wanted = Promise.withResolvers<void>();
  #bodyEnded = false;
  #answered = false;
  #closed = false;

  /** @param addr Of the listener: what `Deno.serve` puts where a request has no authority. */
  constructor(request: Request, addr: Deno.NetAddr) {
    this.#method = request.method;
    this.#body = request.body?.getReader() ?? null;
    this.#isChunked = this.#body !== null && !request.headers.has("content-length");
    this.#unread = requestHead(request, `localhost:${addr.port}`, this.#isChunked);
    request.signal.addEventListener("abort", () => this.close(), { once: true });
  }

  get response(): Promise<Response> {
    return this.#response.promise;
  }

  /** There is more of its body to come. */
  get uploading(): boolean {
    return this.#body !== null && !this.#bodyEnded && !this.#closed;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#unread.length === 0) {
      if (this.#body === null || this.#bodyEnded) return await this.#whenClosed.promise;
      const chunk = await this.#body.read();
      if (chunk.done) await turnOfEventLoop();
      if (this.#closed) return null;
      this.#bodyEnded = chunk.done;
      this.#unread = this.#isChunked ? framed(chunk.value) : chunk.value ?? this.#unread;
    }
    const bytes = Math.min(buffer.length, this.#unread.length);
    buffer.set(this.#unread.subarray(0, bytes));
    this.#unread = this.#unread.subarray(bytes);
    return bytes;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) throw new Deno.errors.BrokenPipe("The request was closed");
    if (this.#output !== null) await this.#pass(bytes);
    else {
      this.#head = joined(this.#head, bytes);
      const end = headEnd(this.#head, 0, this.#head.length);
      if (end !== -1) await this.#begin(this.#head, end);
    }
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    this.#end((output) => output.close());
    return Promise.resolve();
  }

  close(): void {
    // A response that was cut short must not seem whole.
    this.#end((output) => output.error(new Deno.errors.BrokenPipe("The response ended too early")));
  }

  #end(endOutput: (output: ReadableStreamDefaultController<Uint8Array>) => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#whenClosed.resolve(null);
    this.#wanted.resolve();
    this.#body?.cancel().catch(() => {});
    if (this.#output !== null) endOutput(this.#output);
    // Mostly for nobody: the client has left.
    else if (!this.#answered) this.#response.resolve(new Response(null, { status: STATUS.BAD_RESPONSE }));
  }

  async #begin(head: Uint8Array<ArrayBuffer>, end: number): Promise<void> {
    const parsed = new ResponseReader().read(head, 0, end, this.#method);
    if (parsed.status < 200) {
      this.#head = head.slice(end);
      return;
    }
    const init = { status: parsed.status, headers: headersOf(parsed, head) };
    const rest = head.subarray(end);
    this.#answered = true;
    if (parsed.framing === "length" && rest.length === parsed.length) {
      return this.#response.resolve(new Response(rest.length === 0 ? null : rest, init));
    }
    if (parsed.framing === "chunked") this.#decoder = new ChunkedDecoder((what) => new ProtocolError(what));
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#output = controller),
      pull: () => this.#wanted.resolve(),
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
    const body = NULL_BODY_STATUSES.has(parsed.status) ? null : stream;
    this.#response.resolve(new Response(body, init));
    await this.#pass(rest);
  }

  /** Waits until the stream's reader wants it. */
  async #pass(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    let pieces: readonly number[] = [0, bytes.length];
    if (this.#decoder !== null) {
      this.#decoder.decode(bytes);
      pieces = this.#decoder.pieces;
    }
    for (let i = 0; i < pieces.length; i += 2) {
      await this.#wanted.promise;
      this.#wanted = Promise.withResolvers();
      this.#output!.enqueue(bytes.slice(pieces[i], pieces[i + 1]));
    }
  }
}

/** In which an abort is heard: to `Deno.serve`, a body that the client resets with CANCEL has ended like any other. */
function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** @param fallback The authority of a request without one. */
function requestHead(request: Request, fallback: string, isChunked: boolean): Uint8Array {
  const { method, url, headers } = request;
  const authority = /^[^:]*:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
  let fields = "connection: close\r\n";
  if (!headers.has("host") && authority !== fallback) fields += `host: ${authority}\r\n`;
  headers.forEach((value, name) => fields += `${name}: ${value}\r\n`);
  if (isChunked) fields += "transfer-encoding: chunked\r\n";
  // `Deno.serve` decodes UTF-8 in a target; header bytes are Latin-1.
  const line = utf8.encode(`${method} ${url} HTTP/1.1\r\n`);
  return joined(line, encodeLatin1(`${fields}\r\n`));
}

function headersOf({ pieces }: ResponseHead, input: Uint8Array): Headers {
  const headers = new Headers();
  for (let i = 0; i < pieces.length; i += 2) {
    for (const line of decodeLatin1(input, pieces[i]!, pieces[i + 1]! - 2).split("\r\n")) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon);
      if (!DROPPED_FIELDS.has(name)) headers.append(name, line.slice(colon + 1));
    }
  }
  return headers;
}

function framed(chunk: Uint8Array | undefined): Uint8Array {
  if (chunk === undefined) return utf8.encode(LAST_CHUNK);
  if (chunk.length === 0) return chunk;
  return joined(utf8.encode(`${chunk.length.toString(16)}\r\n`), chunk, utf8.encode("\r\n"));
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
