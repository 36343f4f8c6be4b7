import { STATUS } from "./errors.ts";
import { Http2Request } from "./http2_request.ts";
import type { Handler } from "./handler.ts";
import type { Peer } from "./request_head.ts";
import { VisitorConnection } from "./visitor_connection.ts";

/** What an HTTP/2 client sends first (RFC 9113 §3.4). */
const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SPLICE_BUFFER_BYTES = 64 * 1024;

/**
 * HTTP/2 by prior knowledge. `Deno.serve` speaks it, but takes no connection that was accepted already: it listens on loopback,
 * connections are spliced to it, and each of its requests is served as if it had come on an HTTP/1.1 connection of its own.
 */
export class Http2Gateway {
  readonly #handler: Handler;
  /** Local port of a splice → the visitor behind it. Whoever else connects is nobody's visitor. */
  readonly #visitors = new Map<number, Peer>();
  readonly #requests = new Set<Http2Request>();
  #server: Deno.HttpServer<Deno.NetAddr> | null = null;
  #draining = false;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  /** Carries a connection that speaks HTTP/2 until either side ends it. */
  async splice(visitor: VisitorConnection, peer: Peer): Promise<void> {
    visitor.idle = false;
    this.#server ??= this.#listen();
    const { hostname, port: innerPort } = this.#server.addr;
    using inner = await Deno.connect({ hostname, port: innerPort });
    const { port } = inner.localAddr;
    this.#visitors.set(port, peer);
    await Promise.all([forth(visitor, inner), back(inner, visitor)]);
    this.#visitors.delete(port);
  }

  /** Tells every client to go, as soon as nobody uploads: `shutdown` would break that off. To be called until all have gone. */
  drain(): void {
    if (this.#server === null || this.#draining) return;
    for (const request of this.#requests) if (request.uploading) return;
    this.#draining = true;
    this.#server.shutdown();
  }

  #listen(): Deno.HttpServer<Deno.NetAddr> {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {}, onError };
    return Deno.serve(options, (request, { remoteAddr }) => {
      const peer = this.#visitors.get(remoteAddr.port);
      if (peer === undefined) return new Response(null, { status: STATUS.MISDIRECTED_REQUEST });
      return this.#serve(new Http2Request(request, this.#server!.addr), peer);
    });
  }

  #serve(request: Http2Request, peer: Peer): Promise<Response> {
    this.#requests.add(request);
    this.#handler.serve(new VisitorConnection(request, peer)).then(() => this.#requests.delete(request));
    return request.response;
  }
}

/** Hears, besides surprises, of every response that was cut. */
function onError(error: unknown): Response {
  if (!(error instanceof Deno.errors.BrokenPipe)) console.error("Cannot answer request:", error);
  return new Response(null, { status: STATUS.BAD_RESPONSE });
}

/** Whether a connection begins as HTTP/2 does. Nothing of it is consumed. */
export async function speaksHttp2(visitor: VisitorConnection): Promise<boolean> {
  for (let compared = 0; compared < PREFACE.length;) {
    const { unread } = visitor;
    for (const end = Math.min(unread.length, PREFACE.length); compared < end; compared++) {
      if (unread[compared] !== PREFACE[compared]) return false;
    }
    if (compared < PREFACE.length && !await visitor.fill()) return false;
  }
  return true;
}

async function forth(visitor: VisitorConnection, inner: Deno.TcpConn): Promise<void> {
  try {
    do {
      const { unread } = visitor;
      for (let at = 0; at < unread.length;) at += await inner.write(unread.subarray(at));
      visitor.consume(unread.length);
    } while (await visitor.fill());
    await inner.closeWrite();
  } catch {
    // The other direction ends, too, and nobody is left to hear of it.
  }
}

async function back(inner: Deno.TcpConn, visitor: VisitorConnection): Promise<void> {
  const buffer = new Uint8Array(SPLICE_BUFFER_BYTES);
  try {
    for (let bytes; (bytes = await inner.read(buffer)) !== null;) {
      await visitor.write(buffer.subarray(0, bytes));
    }
  } catch {
    // As above.
  }
  visitor.close();
}
