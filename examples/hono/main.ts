import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

/** Memory lasts as long as the isolate: until it is idle for a while, or replaced by the next deployment. */
const isolate = { startedAt: Date.now(), requests: 0 };

const app = new Hono();

app.use(async (_, next) => {
  isolate.requests++;
  await next();
});

app.get("/", async (c) => c.html(await readFile("static/index.html")));

app.get(
  "/style.css",
  async (c) => c.body(await readFile("static/style.css"), 200, { "content-type": "text/css" }),
);

app.get("/api/hello/:name", (c) => c.json({ message: `Hello, ${c.req.param("name")}!` }));

app.get("/api/isolate", (c) =>
  c.json({
    deployment: Deno.env.get("DENO_DEPLOYMENT_ID") ?? "none: run by deno",
    region: Deno.env.get("DENO_REGION") ?? "here",
    aliveForMs: Date.now() - isolate.startedAt,
    requests: isolate.requests,
  }));

app.get("/api/clock", (c) =>
  streamSSE(c, async (stream) => {
    while (!stream.aborted) {
      await stream.writeSSE({ data: new Date().toISOString() });
      await stream.sleep(1000);
    }
  }));

function readFile(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, import.meta.url));
}

Deno.serve(app.fetch);
