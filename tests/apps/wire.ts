/** Answers in every way that a proxy could get wrong. */
const encoder = new TextEncoder();
const page = new Uint8Array(1000).map((_, i) => i % 251);
const aborted: string[] = [];
/** Bytes of the last `/bytes`. */
let produced = 0;
let released = Promise.withResolvers<void>();

type Route = (request: Request, url: URL) => Response | Promise<Response>;

const routes: Record<string, Route> = {
  async "/mirror"(request, url) {
    const headers = new Headers({ "content-type": request.headers.get("content-type") ?? "x/y" });
    const body = await request.bytes();
    return new Response(body.length > 0 ? body : null, {
      status: Number(url.searchParams.get("status") ?? 200),
      headers,
    });
  },

  "/cookies"() {
    const headers = new Headers();
    for (let i = 0; i < 50; i++) {
      headers.append("set-cookie", `c${i}=${i}; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT`);
    }
    return new Response("cookies", { headers });
  },

  "/headers"() {
    const headers = new Headers([["x-list", "a"], ["x-list", "b"], ["x-latin", "caf\xe9"], ["x-empty", ""]]);
    headers.set("connection", "x-hop");
    headers.set("x-hop", "secret");
    headers.set("keep-alive", "timeout=1");
    headers.set("date", "Mon, 01 Jan 2024 00:00:00 GMT");
    headers.set("server", "mine");
    return new Response("headers", { headers });
  },

  async "/encoded"(_, url) {
    const format = url.searchParams.get("format")!;
    const stream = new Blob(["hello ".repeat(1000)]).stream().pipeThrough(new CompressionStream("gzip"));
    const bytes = await new Response(stream).bytes();
    return new Response(bytes, { headers: { "content-encoding": format, "content-type": "text/plain" } });
  },

  "/range"(request) {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
    if (first === undefined) return new Response(page, { headers: { "accept-ranges": "bytes" } });
    const from = Number(first);
    const to = last ? Number(last) : page.length - 1;
    if (from >= page.length) {
      return new Response(null, { status: 416, headers: { "content-range": `bytes */${page.length}` } });
    }
    return new Response(page.slice(from, to + 1), {
      status: 206,
      headers: { "content-range": `bytes ${from}-${to}/${page.length}` },
    });
  },

  "/head": () => new Response("twelve bytes", { headers: { "content-length": "12", "x-head": "yes" } }),
  "/etag": () =>
    new Response(null, { status: 304, headers: { etag: '"v1"', "cache-control": "max-age=60" } }),
  "/nothing": () => new Response(null, { status: 204, headers: { "x-empty": "yes" } }),
  "/redirect": () => Response.redirect("http://elsewhere.example/path?x=1", 307),

  /** Sends one part, and the next only once `/release` was asked for. */
  "/parts"() {
    released = Promise.withResolvers();
    return new Response(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(encoder.encode("data: one\n\n"));
          await released.promise;
          controller.enqueue(encoder.encode("data: two\n\n"));
          controller.close();
        },
      }),
      { headers: { "content-type": "text/event-stream" } },
    );
  },
  "/release"() {
    released.resolve();
    return new Response();
  },

  /** Answers each part of the request's body before the next one comes. */
  "/talk": (request) => new Response(request.body),

  "/broken": () =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(encoder.encode("the beginning"));
          setTimeout(() => controller.error(new Error("on purpose")), 50);
        },
      }),
    ),

  "/wait"(request, url) {
    return new Promise((resolve) => {
      request.signal.addEventListener("abort", () => {
        aborted.push(url.search);
        resolve(new Response());
      });
    });
  },
  /** Events now and then, until the visitor has gone. */
  "/ticking"(request, url) {
    let timer: ReturnType<typeof setInterval>;
    request.signal.addEventListener("abort", () => {
      aborted.push(url.search);
      clearInterval(timer);
    });
    return new Response(
      new ReadableStream({
        start(controller) {
          timer = setInterval(() => controller.enqueue(encoder.encode("data: tick\n\n")), 20);
        },
      }),
    );
  },
  "/endless"(_, url) {
    return new Response(
      new ReadableStream({
        pull(controller) {
          controller.enqueue(page);
        },
        cancel() {
          aborted.push(`cancel${url.search}`);
        },
      }),
    );
  },
  "/aborted": () => Response.json(aborted),

  /** Answers without reading the body. */
  "/early": () => new Response("too large", { status: 413 }),

  /** Reads the body only in part, as slowly as it is asked to. */
  async "/count"(request) {
    let bytes = 0;
    for await (const chunk of request.body!) bytes += chunk.length;
    return new Response(String(bytes));
  },
  async "/count-late"(request) {
    released = Promise.withResolvers();
    await released.promise;
    return await routes["/count"]!(request, new URL(request.url));
  },
  "/bytes"(_, url) {
    let left = Number(url.searchParams.get("n"));
    produced = 0;
    const chunk = new Uint8Array(65536).fill(97);
    return new Response(
      new ReadableStream({
        pull(controller) {
          controller.enqueue(chunk.slice(0, Math.min(left, chunk.length)));
          produced += chunk.length;
          left -= chunk.length;
          if (left <= 0) controller.close();
        },
      }),
    );
  },

  "/produced": () => Response.json(produced),

  "/throw": () => {
    throw new Error("a secret of the handler");
  },
};

Deno.serve((request) => {
  const url = new URL(request.url);
  return routes[url.pathname]?.(request, url) ?? new Response("?", { status: 404 });
});
