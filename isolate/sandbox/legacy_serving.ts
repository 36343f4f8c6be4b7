/**
 * How programs served before `Deno.serve` and `export default`, which bundles of that time still do: by `Deno.listen` and
 * `Deno.serveHttp` (the standard library's `serve`), or by `fetch` events.
 */
import type { Served } from "./serve.ts";

type Handler = Parameters<Served["serveDefault"]>[0]["fetch"];

/** What `Deno.serveHttp` gives of each request. */
interface RequestEvent {
  request: Request;
  respondWith(response: Response | Promise<Response>): Promise<void>;
}

/** Requests that wait until the program accepts them. */
const MAX_WAITING = 1024;

/** Has the program take its seat in these ways, too. */
export function serveLegacy(served: Served): void {
  const seat = (fetch: Handler) => {
    if (!served.taken) return served.serveDefault({ fetch });
    console.warn("Only the first server of a deployment gets requests: this one gets none");
  };
  serveFetchEvents(seat);
  serveConnections(seat);
}

/** `addEventListener("fetch", (event) => event.respondWith(…))` (Service Workers, §4.6). */
function serveFetchEvents(seat: (handler: Handler) => void) {
  const { addEventListener } = globalThis;
  globalThis.addEventListener = (type: string, ...rest: unknown[]) => {
    const [listener] = rest as [((event: unknown) => void) | { handleEvent(event: unknown): void } | null];
    if (type !== "fetch" || !listener) {
      return Reflect.apply(addEventListener, globalThis, [type, ...rest]);
    }
    const handle = typeof listener === "function" ? listener : listener.handleEvent.bind(listener);
    seat(async (request) => {
      const { promise, resolve } = Promise.withResolvers<Response>();
      let isAnswered = false;
      const respondWith = (response: Response | Promise<Response>) => {
        isAnswered = true;
        resolve(response);
      };
      handle(Object.assign(new Event("fetch"), { request, respondWith, waitUntil() {} }));
      if (!isAnswered) throw new TypeError("Cannot answer: nobody called respondWith of the fetch event");
      return await promise;
    });
  };
}

/** `for await (const conn of Deno.listen({ port })) for await (const event of Deno.serveHttp(conn)) …` */
function serveConnections(seat: (handler: Handler) => void) {
  const { listen } = Deno;
  Object.assign(Deno, {
    listen(options: Deno.TcpListenOptions & { transport?: "tcp" }) {
      // Others are refused, as always.
      return (options?.transport ?? "tcp") === "tcp" ? new RequestListener(options, seat) : listen(options);
    },
    serveHttp(conn: unknown) {
      if (conn instanceof RequestConn) return new RequestConns(conn);
      throw new TypeError("Cannot serve: not a connection of Deno.listen");
    },
  });
}

/** Each request is a connection of its own. */
class RequestListener {
  readonly addr: Deno.NetAddr;
  readonly #waiting: RequestConn[] = [];
  #accepting: PromiseWithResolvers<RequestConn> | null = null;
  #isClosed = false;

  constructor(
    { port = 8000, hostname = "0.0.0.0" }: Deno.TcpListenOptions,
    seat: (handler: Handler) => void,
  ) {
    this.addr = { transport: "tcp", hostname, port };
    seat((request, { remoteAddr }) => {
      const { promise, resolve } = Promise.withResolvers<Response>();
      this.#offer(new RequestConn({ request, respondWith: answerWith(resolve) }, this.addr, remoteAddr));
      return promise;
    });
  }

  async accept(): Promise<RequestConn> {
    const conn = this.#waiting.shift();
    if (conn !== undefined) return conn;
    if (this.#isClosed) throw new Deno.errors.BadResource("Listener has been closed");
    this.#accepting ??= Promise.withResolvers();
    return await this.#accepting.promise;
  }

  close(): void {
    this.#isClosed = true;
    this.#accepting?.reject(new Deno.errors.BadResource("Listener has been closed"));
  }

  ref(): void {}
  unref(): void {}

  async *[Symbol.asyncIterator](): AsyncGenerator<RequestConn> {
    while (!this.#isClosed) yield await this.accept();
  }

  #offer(conn: RequestConn) {
    const accepting = this.#accepting;
    this.#accepting = null;
    if (accepting !== null) accepting.resolve(conn);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(conn);
    else conn.event.respondWith(new Response("Too many requests wait to be accepted", { status: 503 }));
  }
}

class RequestConn {
  readonly event: RequestEvent;
  readonly localAddr: Deno.NetAddr;
  readonly remoteAddr: Deno.Addr;

  constructor(event: RequestEvent, localAddr: Deno.NetAddr, remoteAddr: Deno.Addr) {
    this.event = event;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
  }

  close(): void {}
}

/** What `Deno.serveHttp` returns. */
class RequestConns {
  readonly rid = -1;
  #conn: RequestConn | null;

  constructor(conn: RequestConn) {
    this.#conn = conn;
  }

  nextRequest(): Promise<RequestEvent | null> {
    const event = this.#conn?.event ?? null;
    this.#conn = null;
    return Promise.resolve(event);
  }

  close(): void {}

  async *[Symbol.asyncIterator](): AsyncGenerator<RequestEvent> {
    const event = await this.nextRequest();
    if (event !== null) yield event;
  }
}

function answerWith(resolve: (response: Response | Promise<Response>) => void) {
  return async (response: Response | Promise<Response>) => {
    resolve(response);
    await response;
  };
}
