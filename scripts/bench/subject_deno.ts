import { type Child, freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "./first_byte.ts";
import type { Subject } from "./subject.ts";

const APP = new URL("./hello_app.ts", import.meta.url).pathname;

/** `Deno.serve` with nothing before it: the upper bound. */
export async function startDeno(): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const port = freePort();
  const child = started.use(startHello(`tcp:127.0.0.1:${port}`));
  const host = `127.0.0.1:${port}`;
  await until("Deno.serve", () => firstByteMs(port, host));
  const owned = started.move();
  return {
    name: "`Deno.serve`",
    port,
    host,
    pids: [child.pid],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The app in a Deno process, listening at `address` ("tcp:HOST:PORT" or "unix:PATH"). */
export function startHello(address: string): Child {
  return startChild(Deno.execPath(), ["run", "--quiet", "--no-config", "-A", APP], {
    DENO_SERVE_ADDRESS: address,
  });
}
