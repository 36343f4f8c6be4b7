import assert from "node:assert/strict";
import { openSandboxHome } from "../home.ts";
import { providedProgram } from "../testing/provided_program.ts";
import { Trial } from "../testing/trial.ts";

/** As the standard library's `serve` had it (std@0.168.0 http/server.ts), in few lines. */
const STANDARD_SERVE = `
  const listener = Deno.listen({ port: 8000 });
  async function respond(conn) {
    const http = Deno.serveHttp(conn);
    for (let event; (event = await http.nextRequest()) !== null;) {
      const { pathname } = new URL(event.request.url);
      if (pathname === "/throws") event.respondWith(Promise.reject(new Error("thrown"))).catch(() => {});
      else await event.respondWith(new Response([pathname, await event.request.text(), conn.remoteAddr.hostname].join()));
    }
    conn.close();
  }
  while (true) respond(await listener.accept());
`;

const PROGRAMS: Record<string, string> = {
  "Deno.listen and Deno.serveHttp": STANDARD_SERVE,
  "the same by iteration": `
    for await (const conn of Deno.listen({ port: 8000 })) {
      (async () => {
        for await (const { request, respondWith } of Deno.serveHttp(conn)) {
          const { pathname } = new URL(request.url);
          const answer = async () => {
            if (pathname === "/throws") throw new Error("thrown");
            return new Response([pathname, await request.text(), conn.remoteAddr.hostname].join());
          };
          respondWith(answer()).catch(() => {});
        }
      })();
    }`,
  "fetch events": `
    addEventListener("fetch", (event) => {
      const { pathname } = new URL(event.request.url);
      if (pathname === "/throws") throw new Error("thrown");
      event.respondWith((async () => new Response([pathname, await event.request.text(), "127.0.0.1"].join()))());
    });
    addEventListener("message", () => {});
    addEventListener("fetch", (event) => event.respondWith(new Response("second")));
    Deno.listen({ port: 8001 });`,
};

Deno.test("programs that serve as before Deno.serve are served", async (t) => {
  const dataDir = await Deno.makeTempDir();
  {
    await using home = await openSandboxHome({
      dataDir,
      denoPath: Deno.execPath(),
      moduleIndexes: true,
    });
    for (const [name, source] of Object.entries(PROGRAMS)) {
      await t.step(name, async () => {
        const program = providedProgram({ modules: { "file:///src/main.js": source } });
        await using trial = await Trial.serve("", { home, program });
        const answers = Array.from({ length: 4 }, async (_, i) => {
          const response = await trial.fetch(`/path${i}`, { method: "POST", body: `body${i}` });
          return await response.text();
        });
        assert.deepEqual(
          await Promise.all(answers),
          [0, 1, 2, 3].map((i) => `/path${i},body${i},127.0.0.1`),
        );
        const failed = await trial.fetch("/throws");
        assert.deepEqual([failed.status, await failed.text()], [500, "Internal Server Error"]);
      });
    }
  }
  await Deno.remove(dataDir, { recursive: true });
});
