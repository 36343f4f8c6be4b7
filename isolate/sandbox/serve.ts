/**
 * One `Deno.serve` on the isolate's socket, started before the program is known; the program's own `Deno.serve` calls
 * only say which handler it is.
 */
import type { Post } from "./exit.ts";

type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;
type Options = Deno.ServeTcpOptions & { handler?: Handler; signal?: AbortSignal };

/** The seat that a program takes by starting to serve. */
export interface Served {
  /** Whether the program serves already. */
  readonly taken: boolean;
  /** From now on `Deno.serve` is the program's. */
  open(): void;
  /** `export default { fetch }`. */
  serveDefault(app: { fetch: Handler }): void;
  /** A `node:http` server took the seat. False if it was taken before. */
  take(socket: "http" | "node"): boolean;
}

/** Starts to serve the socket at `path`, with an empty answer until the program takes over. */
export function startServing(path: string, post: Post): Served {
  const { serve } = Deno;
  let handler: Handler = () => new Response();
  let onError: (error: unknown) => Response | Promise<Response> = answerError;
  let taken = false;

  const server = serve(
    { path, onListen() {}, onError: (error) => onError(error) },
    (request, info) => handler(request, info as unknown as Deno.ServeHandlerInfo),
  );

  const take = (socket: "http" | "node") => {
    if (taken) return false;
    taken = true;
    post({ type: "ready", socket });
    return true;
  };

  /** Only while the seat is free. */
  const seat = (program: Handler, options: Options) => {
    handler = (request, info) => program(request, new VisitorInfo(request, info));
    onError = options.onError ?? answerError;
    take("http");
  };

  const programServe = (first: Options | Handler, second?: Handler | Options) => {
    const { options, handler: program } = serveArguments(first, second);
    if (taken) {
      console.warn("Only the first server of a deployment gets requests: this Deno.serve call gets none");
      return new ProgramServer(options, () => Promise.resolve());
    }
    seat(program, options);
    // A program that closes its server has ended: the next request starts it anew.
    return new ProgramServer(options, () => server.shutdown().then(() => post({ type: "exit", code: 0 })));
  };

  return {
    get taken() {
      return taken;
    },
    open() {
      Deno.serve = programServe as unknown as typeof Deno.serve;
      for (const name of ["listen", "listenTls"] as const) {
        Deno[name] = () => {
          throw new Deno.errors.PermissionDenied(
            `Cannot use Deno.${name}: a deployment listens by Deno.serve or a node:http server only`,
          );
        };
      }
    },
    serveDefault: (app) => seat((request, info) => app.fetch(request, info), {} as Options),
    take,
  };
}

/** The forms of `Deno.serve`: (handler), (options, handler), (handler, options), ({ handler, … }). */
function serveArguments(
  first: Options | Handler,
  second?: Handler | Options,
): { options: Options; handler: Handler } {
  const options = (typeof first === "function" ? second ?? {} : first) as Options;
  const handler = typeof first === "function"
    ? first
    : typeof second === "function"
    ? second
    : first?.handler;
  if (typeof handler !== "function") throw new TypeError("Cannot serve: a handler must be a function");
  return { options, handler };
}

function answerError(error: unknown): Response {
  console.error(error);
  return new Response("Internal Server Error", { status: 500 });
}

/** What a handler learns of the request's origin, read from the headers only when it asks. */
class VisitorInfo implements Deno.ServeHandlerInfo<Deno.NetAddr> {
  #request: Request;
  #info: Deno.ServeHandlerInfo;

  constructor(request: Request, info: Deno.ServeHandlerInfo) {
    this.#request = request;
    this.#info = info;
  }

  get remoteAddr(): Deno.NetAddr {
    return { transport: "tcp", ...forwardedFor(this.#request.headers.get("forwarded")) };
  }

  get completed(): Promise<void> {
    return this.#info.completed;
  }
}

/** The visitor of a `Forwarded` header (RFC 7239), which the runner makes and nobody else can. */
export function forwardedFor(forwarded: string | null): { hostname: string; port: number } {
  const match = /for="\[?([^\]"]+?)\]?:(\d+)"/.exec(forwarded ?? "");
  return { hostname: match?.[1] ?? "127.0.0.1", port: Number(match?.[2] ?? 0) };
}

/** What `Deno.serve` returned to the program. */
class ProgramServer implements Deno.HttpServer<Deno.NetAddr> {
  readonly addr: Deno.NetAddr;
  readonly finished: Promise<void>;
  #finish!: () => void;
  #close: () => Promise<void>;

  constructor(options: Options, close: () => Promise<void>) {
    this.addr = { transport: "tcp", hostname: options.hostname ?? "0.0.0.0", port: options.port || 8000 };
    this.finished = new Promise((resolve) => this.#finish = resolve);
    this.#close = close;
    options.signal?.addEventListener("abort", () => void this.shutdown(), { once: true });
    options.onListen?.(this.addr);
  }

  async shutdown(): Promise<void> {
    await this.#close();
    this.#finish();
  }

  ref(): void {}
  unref(): void {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }
}
