import { freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { installPackage } from "./npm_package.ts";
import { HELLO_APP, type Subject } from "./subject.ts";

const PACKAGE = "@valtown/deno-http-worker";
const VERSION = "3.0.0";
const SERVER = new URL("./http_worker_server.mjs", import.meta.url);

/** A Node server before a Deno process of `@valtown/deno-http-worker`, which is made for Node, and faster there than in Deno. */
export async function startHttpWorker(): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const module = `${await installPackage(PACKAGE, VERSION)}/${PACKAGE}/dist/index.js`;
  const port = freePort();
  const args = [SERVER.pathname, module, HELLO_APP.href, Deno.execPath(), `${port}`];
  const child = started.use(startChild("node", args));
  const host = "bench.localhost";
  await until(PACKAGE, () => firstByteMs(port, host), child);
  const owned = started.move();
  return {
    port,
    host,
    pids: [child.pid],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
