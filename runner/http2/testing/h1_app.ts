import { ChunkedDecoder } from "../../http1/chunked_decoder.ts";
import { headEnd } from "../../http1/field_scanner.ts";
import type { VisitorSocket } from "../../http1/visitor_connection.ts";

/** A request as the stream brought it. */
export interface H1Request {
  /** Through its empty line, as Latin-1. */
  head: string;
  method: string;
  path: string;
  /** The next part of the body; `null` = it has ended. Rejects if it was cut. */
  read(): Promise<Uint8Array | null>;
  /** All of the body's bytes. */
  body(): Promise<Uint8Array>;
  /** Resolves when the visitor is gone; not to be called before the body was read. */
  gone(): Promise<void>;
  socket: VisitorSocket;
}

/** Answers with a whole HTTP/1.1 response, or has written one itself and returns nothing. */
export type H1App = (request: H1Request) => Promise<string | void> | string | void;

/** Serves the HTTP/1.1 requests of one connection by `app`: as much of HTTP/1.1 as tests of HTTP/2 need. Never rejects. */
export async function serveH1(socket: VisitorSocket, app: H1App): Promise<void> {
  try {
    const input = new Input(socket);
    for (let head; (head = await input.head()) !== null;) {
      const answer = await app(input.request(head));
      if (answer !== undefined) await writeAll(socket, answer);
      if (answer !== undefined && /^connection: close\r$/mi.test(answer)) break;
    }
    await socket.closeWrite();
    while (await socket.read(new Uint8Array(4096)) !== null);
  } catch {
    // Cut by the visitor.
  }
  socket.close();
}

/** Writes Latin-1 text or bytes. */
export async function writeAll(socket: VisitorSocket, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? Uint8Array.from(data, (char) => char.charCodeAt(0)) : data;
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

class Input {
  readonly #socket: VisitorSocket;
  #unread = new Uint8Array(0);

  constructor(socket: VisitorSocket) {
    this.#socket = socket;
  }

  async head(): Promise<string | null> {
    for (;;) {
      const end = headEnd(this.#unread, 0, this.#unread.length);
      if (end !== -1) return String.fromCharCode(...this.#take(end));
      if (!await this.#more()) return null;
    }
  }

  request(head: string): H1Request {
    const [method, path] = head.split(" ");
    const body = this.#body(head);
    return {
      head,
      method: method!,
      path: path!,
      socket: this.#socket,
      read: async () => (await body.next()).value ?? null,
      body: async () => {
        const parts: Uint8Array<ArrayBuffer>[] = [];
        for await (const part of body) parts.push(part);
        return await new Blob(parts).bytes();
      },
      gone: async () => {
        while (await this.#more());
      },
    };
  }

  async *#body(head: string): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
    const length = /^content-length: (\d+)\r$/m.exec(head);
    if (/^transfer-encoding: chunked\r$/m.test(head)) {
      const decoder = new ChunkedDecoder((what) => new Error(what));
      while (!decoder.done) {
        if (this.#unread.length === 0 && !await this.#more()) throw new Error("The body was cut");
        const bytes = this.#unread;
        const data = new Uint8Array(decoder.decode(bytes));
        let at = 0;
        for (let i = 0; i < decoder.pieces.length; i += 2) {
          const piece = bytes.subarray(decoder.pieces[i], decoder.pieces[i + 1]);
          data.set(piece, at);
          at += piece.length;
        }
        this.#take(decoder.consumed);
        if (data.length > 0) yield data;
      }
    }
    for (let left = Number(length?.[1] ?? 0); left > 0;) {
      if (this.#unread.length === 0 && !await this.#more()) throw new Error("The body was cut");
      const part = this.#take(Math.min(left, this.#unread.length));
      left -= part.length;
      yield part;
    }
  }

  #take(bytes: number): Uint8Array<ArrayBuffer> {
    const taken = this.#unread.slice(0, bytes);
    this.#unread = this.#unread.slice(bytes);
    return taken;
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(16 * 1024);
    const bytes = await this.#socket.read(buffer);
    if (bytes === null) return false;
    const joined = new Uint8Array(this.#unread.length + bytes);
    joined.set(this.#unread);
    joined.set(buffer.subarray(0, bytes), this.#unread.length);
    this.#unread = joined;
    return true;
  }
}
