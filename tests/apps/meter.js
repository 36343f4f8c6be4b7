/** An app that uses known amounts, and says what the kernel counted for its process. */
import { pbkdf2 } from "node:crypto";
import process from "node:process";
import { promisify } from "node:util";

const BURN_SLICE_MS = 100;
const derive = promisify(pbkdf2);

const USES = {
  /** In slices, because an event loop may not be held for long. */
  async burn(ms) {
    const end = cpuMs() + ms;
    while (cpuMs() < end) {
      const sliceEnd = performance.now() + BURN_SLICE_MS;
      while (performance.now() < sliceEnd);
      await new Promise((resolve) => setTimeout(resolve));
    }
  },
  /** On the threads of the runtime, not on that of the event loop. */
  async derive(rounds) {
    await Promise.all(Array.from({ length: 4 }, () => derive("secret", "salt", rounds, 64, "sha512")));
  },
  async sleep(ms) {
    await new Promise((resolve) => setTimeout(resolve, ms));
  },
};

Deno.serve(async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  await USES[pathname.slice(1)]?.(Number(searchParams.get("amount")));
  const body = await request.text();
  return Response.json({ cpuMs: cpuMs(), received: body.length });
});

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
