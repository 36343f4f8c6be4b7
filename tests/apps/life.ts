/** An isolate that says which one it is, and does whatever keeps or ends one. */
const born = crypto.randomUUID();
const encoder = new TextEncoder();
let requests = 0;
let opened = Promise.withResolvers<void>();

/** Between these times (Unix ms) the program does not start: it throws, or waits for ever. */
const failsFrom = Number(Deno.env.get("FAILS_FROM") ?? Infinity);
const failsUntil = Number(Deno.env.get("FAILS_UNTIL") ?? Infinity);
if (Date.now() >= failsFrom && Date.now() < failsUntil) {
  if (Deno.env.get("FAILS_BY") === "waiting") await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  throw new Error("not in the mood");
}

/** A stream that never ends by itself. */
function ticks(): Response {
  let timer: ReturnType<typeof setInterval>;
  return new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(encoder.encode(born));
        timer = setInterval(() => controller.enqueue(encoder.encode(".")), 100);
      },
      cancel: () => clearInterval(timer),
    }),
  );
}

Deno.serve(async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  requests++;
  const ms = Number(searchParams.get("ms") ?? 0);
  switch (pathname) {
    case "/sleep":
      await new Promise((resolve) => setTimeout(resolve, ms));
      break;
    case "/gate":
      opened = Promise.withResolvers();
      await opened.promise;
      break;
    case "/open":
      opened.resolve();
      break;
    case "/timer":
      setTimeout(() => console.log("the timer ran"), ms);
      break;
    case "/interval":
      setInterval(() => {}, 50);
      break;
    case "/ticks":
      return ticks();
    case "/upload":
      for await (const _ of request.body!);
      break;
    case "/exit":
      Deno.exit(3);
      break;
    case "/throw":
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
      await new Promise(() => {});
      break;
    case "/reject":
      Promise.reject(new Error("nobody handles this"));
      await new Promise(() => {});
      break;
    case "/hang":
      await new Promise(() => {});
      break;
  }
  return Response.json({ born, requests });
});
