import { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "../../visitor_limits.ts";
import { Http2Connection } from "../http2_connection.ts";
import { type H1App, serveH1 } from "./h1_app.ts";

/** Real TCP connections that are HTTP/2 from their first byte on. */
export interface TestServer extends AsyncDisposable {
  port: number;
  /** All that there were. */
  connections: Http2Connection[];
  /** Resolves when as many connections as there were have ended by themselves. */
  ended(): Promise<void>;
}

/** Starts a server on a free port whose streams are served by `app`. Time limits hold only when a test sweeps. */
export function startTestServer(app: H1App, limits?: Partial<VisitorLimits>): TestServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Http2Connection[] = [];
  const runs: Promise<void>[] = [];
  const accepting = (async () => {
    try {
      for await (const socket of listener) {
        socket.setNoDelay();
        const connection = new Http2Connection({
          socket,
          received: new Uint8Array(0),
          peer: socket.remoteAddr as Deno.NetAddr,
          limits: { ...DEFAULT_VISITOR_LIMITS, ...limits },
          serve: (stream) => serveH1(stream, app),
        });
        connections.push(connection);
        runs.push(connection.run());
      }
    } catch {
      // Closed while it accepted.
    }
  })();
  return {
    port: listener.addr.port,
    connections,
    ended: async () => {
      await Promise.all(runs);
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      for (const connection of connections) connection.close();
      await Promise.all(runs);
    },
  };
}

/** Answers with `body` whole. */
export function text(body: string, status = 200): string {
  return `HTTP/1.1 ${status} Text\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
