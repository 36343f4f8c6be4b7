/** A page out of a file, what the program knows of itself, and a clock that ticks (server-sent events). */
const encoder = new TextEncoder();

function ticks() {
  let timer;
  return new ReadableStream({
    start(controller) {
      const tick = () => controller.enqueue(encoder.encode(`data: ${new Date().toISOString()}\n\n`));
      tick();
      timer = setInterval(tick, 1000);
    },
    cancel: () => clearInterval(timer),
  });
}

function facts(request, visitor) {
  return {
    greeting: Deno.env.get("GREETING"),
    deployment: Deno.env.get("DENO_DEPLOYMENT_ID"),
    region: Deno.env.get("DENO_REGION"),
    module: import.meta.url,
    url: request.url,
    visitor: visitor.hostname,
  };
}

Deno.serve(async (request, { remoteAddr }) => {
  const { pathname } = new URL(request.url);
  console.log(`${request.method} ${pathname}`);
  switch (pathname) {
    case "/":
      return new Response(await Deno.readFile("./index.html"), {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    case "/facts":
      return Response.json(facts(request, remoteAddr));
    case "/clock":
      return new Response(ticks(), { headers: { "content-type": "text/event-stream" } });
    default:
      return new Response("Not found\n", { status: 404 });
  }
});
