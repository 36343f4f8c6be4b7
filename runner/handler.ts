import { ByteBuffer } from "./http1/byte_buffer.ts";
import type { Connection } from "./isolates/connection.ts";
import type { Route, RouteChanges, RouteTable } from "./contract.ts";
import { errorPage } from "./error_page.ts";
import { GatewayError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { type HttpsPolicy, isDirected } from "./https_policy.ts";
import type { Leases } from "./isolates/leases.ts";
import { decodeLatin1 } from "./http1/octets.ts";
import { RequestBody } from "./http1/request_body.ts";
import type { RequestHead } from "./http1/request_head.ts";
import type { ResponseHead } from "./http1/response_head.ts";
import type { Upstream } from "./isolates/upstream.ts";
import type { VisitorConnection } from "./http1/visitor_connection.ts";
import { type OwnResponse, visitorFraming, writeOwnResponse } from "./http1/visitor_response.ts";
import { WebSocketBridge } from "./websocket/websocket.ts";
import { WebSocketHandshake } from "./websocket/ws_handshake.ts";

/** Further tries of a request of which no byte reached an isolate. */
const MAX_RESENDS = 2;
/** Requests whose body no app could see: `Request` has none for these (Fetch §5.3). */
const BODILESS_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const SPACE = 0x20;
const UNSUPPORTED_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);

/** What the handler works with. */
export interface HandlerOptions {
  routes: RouteTable;
  leases: Leases;
  /** `null` = there is no HTTPS here. */
  https?: HttpsPolicy | null;
}

/** A request as it goes to an isolate. */
interface Outbound {
  head: RequestHead;
  /** The isolate's head, and perhaps the first bytes of the body. */
  bytes: ByteBuffer;
  body: RequestBody | null;
}

/** Answers visitors: hostname, route, isolate, response; or an error by the one table of codes. */
export class Handler {
  readonly #leases: Leases;
  readonly #https: HttpsPolicy | null;
  readonly #bridges = new Set<WebSocketBridge>();
  #routes: RouteTable;
  #draining = false;

  constructor({ routes, leases, https = null }: HandlerOptions) {
    this.#routes = routes;
    this.#leases = leases;
    this.#https = https;
  }

  /** Whether a hostname leads anywhere. */
  routes(hostname: string): boolean {
    return this.#routes.has(hostname);
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
    let head: RequestHead | null = null;
    let bytes: ByteBuffer | null = null;
    try {
      if (!await visitor.requestArrives()) return false;
      bytes = ByteBuffer.take();
      head = visitor.readRequest(bytes);
      return await this.#answer(visitor, head, bytes);
    } catch (error) {
      if (visitor.answering || visitor.gone) {
        visitor.close();
        return false;
      }
      if (!(error instanceof GatewayError)) console.error("Cannot answer request:", error);
      return await this.#refuse(visitor, head, bytes, error);
    } finally {
      bytes?.release();
    }
  }

  async #answer(visitor: VisitorConnection, head: RequestHead, bytes: ByteBuffer): Promise<boolean> {
    const { method, authority } = head;
    const { hostname } = authority;
    if (UNSUPPORTED_METHODS.has(method)) {
      throw new GatewayError("BAD_REQUEST", `Cannot forward method "${method}"`);
    }
    if (!isDirected(head)) {
      throw new GatewayError("MISDIRECTED_REQUEST", `Cannot serve "${hostname}" with another's certificate`);
    }
    const route = this.#routes.get(hostname);
    if (this.#https !== null && head.certificate === null) {
      const answer = this.#https.answer(head, targetOf(bytes), route !== undefined);
      if (answer !== null) return await this.#answerItself(visitor, head, answer);
    }
    if (route === undefined) {
      throw new GatewayError("DEPLOYMENT_NOT_FOUND", `Cannot route "${hostname}": no deployment`);
    }
    if (head.webSocket !== null) return await this.#upgrade(visitor, head, bytes, route);
    const body = head.framed && !BODILESS_METHODS.has(method)
      ? new RequestBody(visitor, head.contentLength)
      : null;
    if (body === null) bytes.text("\r\n");
    else {
      body.begin(bytes);
      if (head.expectsContinue && !body.complete) await visitor.sayContinue();
    }
    const exchange = await this.#send(visitor, route, { head, bytes, body });
    return await this.#relay(visitor, { head, bytes, body }, exchange, await exchange.head());
  }

  /** False = the connection cannot carry another request. */
  async #relay(
    visitor: VisitorConnection,
    { head, body }: Outbound,
    exchange: Exchange,
    responseHead: ResponseHead,
  ): Promise<boolean> {
    const { method, isOld } = head;
    const read = body === null ? head.contentLength === 0 : body.complete;
    const keepAlive = head.keepAlive && read && !this.#draining && !visitor.last &&
      visitorFraming(responseHead, isOld) !== "close";
    const strictTransport = this.#https?.isStrict(head) ?? false;
    await exchange.relay(responseHead, { method, isOld, keepAlive, strictTransport });
    return keepAlive;
  }

  async #upgrade(
    visitor: VisitorConnection,
    head: RequestHead,
    bytes: ByteBuffer,
    route: Route,
  ): Promise<boolean> {
    const handshake = new WebSocketHandshake(head.webSocket!);
    bytes.text(handshake.lines);
    const exchange = await this.#send(visitor, route, { head, bytes, body: null });
    const responseHead = await exchange.head();
    if (responseHead.status !== 101) {
      return await this.#relay(visitor, { head, bytes, body: null }, exchange, responseHead);
    }
    const out = ByteBuffer.take();
    try {
      handshake.accept(responseHead, exchange.connection.input, out);
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
    { head, bytes, body }: Outbound,
  ): Promise<Exchange> {
    for (let sends = 0; sends <= MAX_RESENDS; sends++) {
      const target = this.#leases.target(deploymentId);
      const upstream = target.enter(maxConcurrency) ??
        await this.#wait(visitor, deploymentId, maxConcurrency);
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
  async #wait(visitor: VisitorConnection, deploymentId: string, maxConcurrency: number): Promise<Upstream> {
    const gone = new AbortController();
    visitor.watch(() => gone.abort());
    try {
      return await this.#leases.target(deploymentId).wait(maxConcurrency, gone.signal);
    } finally {
      visitor.unwatch();
    }
  }

  /** Answers with an error; false = the connection's framing is not known any more. */
  #refuse(
    visitor: VisitorConnection,
    head: RequestHead | null,
    bytes: ByteBuffer | null,
    error: unknown,
  ): Promise<boolean> {
    const known = error instanceof GatewayError
      ? error
      : new GatewayError("ORIGIN_UNAVAILABLE", String(error));
    // Of a request that could not be read, nobody knows where it ends.
    const isOver = known.code === "BAD_REQUEST";
    return this.#answerItself(visitor, head, errorPage(known, acceptOf(bytes)), isOver);
  }

  /** Answers in place of an isolate; false = the connection cannot carry another request, as when it `isOver`. */
  async #answerItself(
    visitor: VisitorConnection,
    head: RequestHead | null,
    response: OwnResponse,
    isOver = false,
  ): Promise<boolean> {
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

/** The `Accept` of a head on its way to an isolate. */
function acceptOf(head: ByteBuffer | null): string | null {
  if (head === null) return null;
  const text = decodeLatin1(head.view, 0, head.length);
  return /\r\naccept:[ \t]*(.*)\r\n/i.exec(text)?.[1] ?? null;
}

/** The target of a head on its way to an isolate: the second word of its first line. */
function targetOf(head: ByteBuffer): string {
  const bytes = head.view;
  const start = bytes.indexOf(SPACE) + 1;
  return decodeLatin1(bytes, start, bytes.indexOf(SPACE, start));
}
