import { ByteBuffer } from "./http1/byte_buffer.ts";
import type { Connection } from "./isolates/connection.ts";
import type { Route, RouteChanges, RouteTable, Subhosted } from "./contract.ts";
import { type ErrorPage, errorPage } from "./error_page.ts";
import { GatewayError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { type HttpsPolicy, isDirected } from "./https_policy.ts";
import type { Leases } from "./isolates/leases.ts";
import type { Observation } from "./observation/observation.ts";
import type { Observer } from "./observation/observer.ts";
import { fieldIn, targetIn } from "./http1/outbound_head.ts";
import { RequestBody } from "./http1/request_body.ts";
import type { RelayFields, RequestHead } from "./http1/request_head.ts";
import type { ResponseCounter } from "./response_counter.ts";
import type { ResponseHead } from "./http1/response_head.ts";
import type { RelayGate } from "./subhosting/relay_gate.ts";
import { writeTrace } from "./http1/trace_context.ts";
import type { Target } from "./isolates/target.ts";
import type { Upstream } from "./isolates/upstream.ts";
import type { VisitorConnection } from "./http1/visitor_connection.ts";
import { type OwnResponse, visitorFraming, writeOwnResponse } from "./http1/visitor_response.ts";
import { findRoute } from "./find_route.ts";
import { WebSocketBridge } from "./websocket/websocket.ts";
import { WebSocketHandshake } from "./websocket/ws_handshake.ts";

/** Further tries of a request of which no byte reached an isolate. */
const MAX_RESENDS = 2;
/** Requests whose body no app could see: `Request` has none for these (Fetch §5.3). */
const BODILESS_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const UNSUPPORTED_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);
/** That an isolate is ready. */
const READY: OwnResponse = { status: 200, fields: { "content-length": "0" }, body: "" };

/** What the handler works with. */
export interface HandlerOptions {
  routes: RouteTable;
  leases: Leases;
  /** `null` = there is no HTTPS here. */
  https?: HttpsPolicy | null;
  /** `null` = there are no relays; then no request that is read says that it is one's. */
  relays?: RelayGate | null;
  /** `null` = nobody looks at requests. */
  observer?: Observer | null;
  /** `null` = nobody counts. */
  responses?: Pick<ResponseCounter, "count" | "countError"> | null;
}

/** A request that was read, on its way to an isolate. */
interface Inbound {
  head: RequestHead;
  /** The isolate's head, and perhaps the first bytes of the body. */
  bytes: ByteBuffer;
  body: RequestBody | null;
  /** `undefined` = it leads nowhere. */
  route: Route | undefined;
  /** `undefined` = it came by itself. */
  subhosted: Subhosted | undefined;
  /** `null` = nobody looks. */
  seen: Observation | null;
}

/** Answers visitors: hostname, route, isolate, response; or an error by the one table of codes. */
export class Handler {
  readonly #leases: Leases;
  readonly #https: HttpsPolicy | null;
  readonly #relays: RelayGate | null;
  readonly #observer: Observer | null;
  readonly #responses: HandlerOptions["responses"];
  readonly #bridges = new Set<WebSocketBridge>();
  #routes: RouteTable;
  #draining = false;

  constructor(
    { routes, leases, https = null, relays = null, observer = null, responses = null }: HandlerOptions,
  ) {
    this.#routes = routes;
    this.#leases = leases;
    this.#https = https;
    this.#relays = relays;
    this.#observer = observer;
    this.#responses = responses;
  }

  /** Whether a hostname leads anywhere. */
  routes(hostname: string): boolean {
    return findRoute(this.#routes, hostname) !== undefined;
  }

  /** Requests from now on go by the new table; those in flight go on. */
  changeRoutes(changes: RouteChanges): void {
    const routes = new Map(this.#routes);
    for (const [hostname, route] of changes) {
      if (route === null) routes.delete(hostname);
      else routes.set(hostname, route);
    }
    this.#routes = routes;
  }

  /** WebSockets are closed with 1001, and responses from now on end their connection. */
  drain(): void {
    this.#draining = true;
    for (const bridge of this.#bridges) bridge.goAway();
  }

  /** Answers the requests of one connection, one after the other, and closes it. Never rejects. */
  async serve(visitor: VisitorConnection): Promise<void> {
    while (await this.#serveOne(visitor));
    await visitor.linger();
  }

  /** Waits for a request and answers it; false = it was the connection's last. */
  async #serveOne(visitor: VisitorConnection): Promise<boolean> {
    let bytes: ByteBuffer | null = null;
    let request: Inbound | null = null;
    try {
      if (!await visitor.requestArrives()) return false;
      bytes = ByteBuffer.take();
      request = this.#read(visitor, bytes);
      return await this.#answer(visitor, request);
    } catch (cause) {
      const error = cause instanceof GatewayError
        ? cause
        : new GatewayError("ORIGIN_UNAVAILABLE", String(cause));
      request?.seen?.failed(error.code);
      if (visitor.answering || visitor.gone) {
        visitor.close();
        return false;
      }
      if (error !== cause) console.error("Cannot answer request:", cause);
      return await this.#refuse(visitor, request, { error, accept: bytes && fieldIn(bytes, "accept") });
    } finally {
      request?.seen?.end();
      bytes?.release();
    }
  }

  /** Reads the request that has arrived. */
  #read(visitor: VisitorConnection, bytes: ByteBuffer): Inbound {
    const head = visitor.readRequest(bytes);
    const request: Inbound = {
      head,
      bytes,
      body: null,
      route: undefined,
      subhosted: undefined,
      seen: null,
    };
    if (head.relayed === null) {
      this.#begin(visitor, request, findRoute(this.#routes, head.authority.hostname));
    }
    return request;
  }

  /** It is known where a request leads, and so who looks at it. */
  #begin(visitor: VisitorConnection, request: Inbound, route: Route | undefined): void {
    const { head, bytes } = request;
    request.route = route;
    if (route !== undefined && this.#observer?.wants(route)) {
      request.seen = this.#observer.begin(route, { head, sent: bytes, visitor });
    }
    writeTrace(head, bytes, request.seen?.context);
  }

  /** Until a relay's request is verified, nothing is done for it. */
  async #admit(visitor: VisitorConnection, request: Inbound, relayed: RelayFields): Promise<void> {
    const { route, subhosted } = await this.#relays!.admit(relayed);
    request.subhosted = subhosted;
    this.#begin(visitor, request, route);
  }

  async #answer(visitor: VisitorConnection, request: Inbound): Promise<boolean> {
    const { head, bytes } = request;
    const { method, authority: { hostname }, relayed } = head;
    if (UNSUPPORTED_METHODS.has(method)) {
      throw new GatewayError("BAD_REQUEST", `Cannot forward method "${method}"`);
    }
    if (!isDirected(head)) {
      throw new GatewayError("MISDIRECTED_REQUEST", `Cannot serve "${hostname}" with another's certificate`);
    }
    if (relayed !== null) await this.#admit(visitor, request, relayed);
    else if (this.#https !== null && head.certificate === null) {
      const answer = this.#https.answer(head, targetIn(bytes), request.route !== undefined);
      if (answer !== null) return await this.#answerItself(visitor, request, answer);
    }
    const { route } = request;
    if (route === undefined) {
      throw new GatewayError("DEPLOYMENT_NOT_FOUND", `Cannot route "${hostname}": no deployment`);
    }
    if (relayed?.prewarm) return await this.#warm(visitor, route, request);
    if (head.webSocket !== null) return await this.#upgrade(visitor, route, request);
    if (!head.framed || BODILESS_METHODS.has(method)) bytes.text("\r\n");
    else {
      const body = request.body = new RequestBody(visitor, head.contentLength);
      body.begin(bytes);
      if (head.expectsContinue && !body.complete) await visitor.sayContinue();
    }
    const exchange = await this.#send(visitor, route, request);
    return await this.#relay(visitor, request, exchange, await exchange.head());
  }

  /** Has an isolate started, and takes no place in it. */
  async #warm(visitor: VisitorConnection, { deploymentId }: Route, request: Inbound): Promise<boolean> {
    const target = this.#leases.target(deploymentId);
    if (target.upstream === null) await this.#wait(visitor, target, null, request);
    return await this.#answerItself(visitor, request, READY);
  }

  /** False = the connection cannot carry another request. */
  async #relay(
    visitor: VisitorConnection,
    { head, body, seen }: Inbound,
    exchange: Exchange,
    responseHead: ResponseHead,
  ): Promise<boolean> {
    const { method, isOld } = head;
    seen?.answered(responseHead.status);
    this.#responses?.count(responseHead.status);
    const read = body === null ? head.contentLength === 0 : body.complete;
    const keepAlive = head.keepAlive && read && !this.#draining && !visitor.last &&
      visitorFraming(responseHead, isOld) !== "close";
    const strictTransport = this.#https?.isStrict(head) ?? false;
    await exchange.relay(responseHead, { method, isOld, keepAlive, strictTransport });
    return keepAlive;
  }

  async #upgrade(visitor: VisitorConnection, route: Route, request: Inbound): Promise<boolean> {
    const handshake = new WebSocketHandshake(request.head.webSocket!);
    request.bytes.text(handshake.lines);
    const exchange = await this.#send(visitor, route, request);
    const responseHead = await exchange.head();
    if (responseHead.status !== 101) return await this.#relay(visitor, request, exchange, responseHead);
    const out = ByteBuffer.take();
    try {
      handshake.accept(responseHead, exchange.connection.input, out);
      request.seen?.answered(responseHead.status);
      this.#responses?.count(responseHead.status);
      await visitor.write(out.view);
    } catch (error) {
      exchange.fail(error);
      throw error;
    } finally {
      out.release();
    }
    await this.#bridge(visitor, exchange);
    return false;
  }

  async #bridge(visitor: VisitorConnection, exchange: Exchange): Promise<void> {
    const { connection, upstream } = exchange;
    const bridge = new WebSocketBridge({
      visitor,
      isolate: connection,
      endedCode: () => upstream.endedSoon(),
    });
    this.#bridges.add(bridge);
    if (this.#draining) bridge.goAway();
    await bridge.run();
    this.#bridges.delete(bridge);
    exchange.close();
  }

  /** Takes a place in an isolate of the route's deployment and sends the head, elsewhere if nothing of it arrived. */
  async #send(
    visitor: VisitorConnection,
    { deploymentId, maxConcurrency, requestTimeoutMs }: Route,
    request: Inbound,
  ): Promise<Exchange> {
    const { head, bytes, body, seen } = request;
    for (let sends = 0; sends <= MAX_RESENDS; sends++) {
      const target = this.#leases.target(deploymentId);
      const upstream = target.enter(maxConcurrency) ??
        await this.#wait(visitor, target, maxConcurrency, request);
      seen?.entered(upstream.usage.isolateId);
      let connection: Connection | null = null;
      try {
        connection = await upstream.send(bytes.view, visitor);
      } finally {
        if (connection === null) upstream.leave(false);
      }
      if (connection !== null) {
        return new Exchange({
          upstream,
          connection,
          visitor,
          method: head.method,
          body,
          upgrade: head.webSocket !== null,
          timeoutMs: requestTimeoutMs,
        });
      }
    }
    throw new GatewayError("ISOLATE_CRASHED", `Cannot send to deployment "${deploymentId}": nobody listens`);
  }

  /** Waits for a place, unless the visitor leaves meanwhile. */
  async #wait(
    visitor: VisitorConnection,
    target: Target,
    maxConcurrency: number | null,
    { seen, subhosted }: Inbound,
  ): Promise<Upstream> {
    const gone = new AbortController();
    visitor.watch(() => gone.abort());
    const trace = seen?.waits(target.upstream === null);
    try {
      return await target.wait({ maxConcurrency, signal: gone.signal, trace, subhosted });
    } finally {
      visitor.unwatch();
      seen?.waited();
    }
  }

  /** Answers with an error; false = the connection's framing is not known any more. */
  #refuse(
    visitor: VisitorConnection,
    request: Inbound | null,
    { error, accept }: { error: GatewayError; accept: string | null },
  ): Promise<boolean> {
    // Of a request that could not be read, nobody knows where it ends.
    const isOver = error.code === "BAD_REQUEST";
    this.#responses?.countError(error.code);
    return this.#answerItself(visitor, request, errorPage(error, accept), isOver);
  }

  /** Answers in place of an isolate; false = the connection cannot carry another request, as when it `isOver`. */
  async #answerItself(
    visitor: VisitorConnection,
    request: Inbound | null,
    response: OwnResponse | ErrorPage,
    isOver = false,
  ): Promise<boolean> {
    const head = request?.head ?? null;
    request?.seen?.answered(response.status, "requestId" in response ? response.requestId : null);
    this.#responses?.count(response.status);
    const keepAlive = !isOver && head !== null && head.keepAlive && head.contentLength === 0 &&
      !this.#draining && !visitor.last;
    const { method, isOld } = head ?? { method: "GET", isOld: false };
    const strictTransport = head !== null && (this.#https?.isStrict(head) ?? false);
    const out = ByteBuffer.take();
    try {
      writeOwnResponse(response, { method, isOld, keepAlive, strictTransport }, out);
      await visitor.write(out.view);
      return keepAlive;
    } catch {
      visitor.close();
      return false;
    } finally {
      out.release();
    }
  }
}
