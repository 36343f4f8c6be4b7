import { type Authority, readAuthority } from "./authority.ts";
import type { Connection } from "./connection.ts";
import type { Route, RouteTable } from "./contract.ts";
import { errorPage } from "./error_page.ts";
import { GatewayError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { Leases } from "./leases.ts";
import { RequestBody } from "./request_body.ts";
import { type Peer, requestHead } from "./request_head.ts";
import { WebSocketBridge } from "./websocket.ts";
import { isWebSocketUpgrade, WebSocketHandshake } from "./ws_handshake.ts";

/** Further tries of a request of which no byte reached an isolate. */
const MAX_RESENDS = 2;
/** A visitor of a WebSocket who does not answer a ping for so long is gone. */
const WEBSOCKET_IDLE_TIMEOUT_S = 60;
const POLL_MS = 20;

/** What the handler works with. */
export interface HandlerOptions {
  routes: RouteTable;
  leases: Leases;
  /** What the listener puts where a request has no authority. */
  fallbackAuthority: string;
}

/** A request as it goes to an isolate. */
interface Outbound {
  head: string;
  body: RequestBody | null;
  /** The head asks for a 101. */
  upgrade: boolean;
}

/** Answers visitors: hostname, route, isolate, response; or an error by the one table of codes. */
export class Handler {
  readonly #leases: Leases;
  readonly #fallbackAuthority: string;
  readonly #bridges = new Set<WebSocketBridge>();
  #routes: RouteTable;
  #uploads = 0;
  #draining = false;

  constructor({ routes, leases, fallbackAuthority }: HandlerOptions) {
    this.#routes = routes;
    this.#leases = leases;
    this.#fallbackAuthority = fallbackAuthority;
  }

  /** Requests from now on go by the new table; those in flight go on. */
  setRoutes(routes: RouteTable): void {
    this.#routes = routes;
  }

  /** Never rejects. */
  async handle(request: Request, peer: Peer): Promise<Response> {
    try {
      const response = await this.#answer(request, peer);
      if (this.#draining && response.status !== 101) response.headers.set("connection", "close");
      return response;
    } catch (error) {
      if (!(error instanceof GatewayError) && !request.signal.aborted) {
        console.error("Cannot answer request:", error);
      }
      const known = error instanceof GatewayError
        ? error
        : new GatewayError("ORIGIN_UNAVAILABLE", String(error));
      return errorPage(known, { method: request.method, accept: request.headers.get("accept") });
    }
  }

  /**
   * Closes WebSockets with 1001 and waits until they are gone and no upload is under way: `Deno.HttpServer.shutdown` would
   * cut both. Responses from now on end their connection.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    for (const bridge of this.#bridges) bridge.goAway();
    while ((this.#bridges.size > 0 || this.#uploads > 0) && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #answer(request: Request, peer: Peer): Promise<Response> {
    const { method, headers } = request;
    const authority = readAuthority(request.url, headers.get("host"), this.#fallbackAuthority);
    if (authority === null) {
      throw new GatewayError("BAD_REQUEST", `Cannot route "${request.url}": no valid authority`);
    }
    if (method === "CONNECT" || method === "TRACE") {
      throw new GatewayError("BAD_REQUEST", `Cannot forward method "${method}"`);
    }
    const route = this.#routes.get(authority.hostname);
    if (route === undefined) {
      throw new GatewayError("DEPLOYMENT_NOT_FOUND", `Cannot route "${authority.hostname}": no deployment`);
    }
    if (isWebSocketUpgrade(method, headers)) return await this.#upgrade(request, authority, peer, route);
    if (request.body !== null) return await this.#upload(request, request.body, authority, peer, route);
    const head = requestHead(method, authority, headers, peer);
    const exchange = await this.#send(request, route, { head, body: null, upgrade: false });
    return exchange.response(await exchange.head());
  }

  async #upload(
    request: Request,
    stream: ReadableStream<Uint8Array>,
    authority: Authority,
    peer: Peer,
    route: Route,
  ): Promise<Response> {
    const body = await RequestBody.open(stream, request.headers);
    this.#uploads++;
    body.ended.then(() => this.#uploads--);
    try {
      const head = requestHead(request.method, authority, request.headers, peer, body.framing);
      const exchange = await this.#send(request, route, { head, body, upgrade: false });
      return exchange.response(await exchange.head());
    } catch (error) {
      body.cancel();
      throw error;
    }
  }

  async #upgrade(request: Request, authority: Authority, peer: Peer, route: Route): Promise<Response> {
    const handshake = new WebSocketHandshake(request.headers.get("sec-websocket-protocol"));
    const lines = requestHead(request.method, authority, request.headers, peer, handshake.lines);
    const exchange = await this.#send(request, route, { head: lines, body: null, upgrade: true });
    const head = await exchange.head();
    if (head.status !== 101) return exchange.response(head);
    try {
      const fields = handshake.accept(head);
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: WEBSOCKET_IDLE_TIMEOUT_S });
      for (const [name, value] of fields) response.headers.append(name, value);
      this.#bridge(socket, exchange);
      return response;
    } catch (error) {
      exchange.fail(error);
      throw error;
    }
  }

  #bridge(visitor: WebSocket, exchange: Exchange): void {
    const { connection, upstream } = exchange;
    const bridge = new WebSocketBridge({
      visitor,
      isolate: connection,
      endedCode: () => upstream.endedSoon(),
    });
    this.#bridges.add(bridge);
    if (this.#draining) bridge.goAway();
    bridge.run().catch((error) => console.error("Cannot go on with a WebSocket:", error)).finally(() => {
      this.#bridges.delete(bridge);
      exchange.close();
    });
  }

  /** Takes a place in an isolate of the route's deployment and sends the head, elsewhere if nothing of it arrived. */
  async #send(
    request: Request,
    { deploymentId, maxConcurrency, requestTimeoutMs }: Route,
    { head, body, upgrade }: Outbound,
  ): Promise<Exchange> {
    const { method, signal } = request;
    for (let sends = 0; sends <= MAX_RESENDS; sends++) {
      const target = this.#leases.target(deploymentId);
      const upstream = target.enter(maxConcurrency) ?? await target.wait(maxConcurrency, signal);
      let connection: Connection | null = null;
      try {
        connection = await upstream.send(head, body?.first ?? null);
      } finally {
        if (connection === null) upstream.leave(false);
      }
      if (connection !== null) {
        return new Exchange({
          upstream,
          connection,
          method,
          body,
          upgrade,
          timeoutMs: requestTimeoutMs,
          signal,
        });
      }
    }
    throw new GatewayError("ISOLATE_CRASHED", `Cannot send to deployment "${deploymentId}": nobody listens`);
  }
}
