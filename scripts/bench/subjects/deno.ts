import { type Child, freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { HELLO_APP, type Subject } from "./subject.ts";

/** `deno serve` with nothing before it: the upper bound. */
export async function startDeno(app: URL = HELLO_APP): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const port = freePort();
  const child = started.use(startApp(`tcp:127.0.0.1:${port}`, app));
  const host = `127.0.0.1:${port}`;
  await until("deno serve", () => firstByteMs(port, host), child);
  const owned = started.move();
  return {
    port,
    host,
    pids: [child.pid],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The app in a Deno process, listening at `address` ("tcp:HOST:PORT" or "unix:PATH"). */
export function startApp(address: string, app: URL = HELLO_APP): Child {
  return startChild(Deno.execPath(), ["serve", "--quiet", "--no-config", "-A", app.pathname], {
    DENO_SERVE_ADDRESS: address,
  });
}
