import { freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { installPackage } from "./npm_package.ts";
import { HELLO_APP, type Subject } from "./subject.ts";

const VERSION = "1.20261117.1";
const HOST = "bench.localhost";
const COMPATIBILITY_DATE = "2026-01-01";

/** Its main module is the file beside the configuration. */
interface WorkerdWorker {
  name: string;
  module: string;
  /** In Cap'n Proto: what it finds in `env`. */
  bindings?: string;
  /** In Cap'n Proto: names of flags. */
  compatibilityFlags?: string;
}

const ROUTER = `export default { fetch: (request, env) => env.APP.fetch(request) };`;

/** A new isolate for each hostname, with the hello app in it. */
const LOADER = `export default {
  fetch(request, env) {
    const app = env.LOADER.get(request.headers.get("host"), () => ({
      compatibilityDate: "${COMPATIBILITY_DATE}",
      mainModule: "app.js",
      modules: { "app.js": env.SOURCE },
    }));
    return app.getEntrypoint().fetch(request);
  },
};`;

/** workerd with one worker: an isolate without a process of its own. */
export function startWorkerd(): Promise<Subject> {
  return start([{ name: "app", module: "app.js" }], {});
}

/** workerd with a worker that hands every request to another one: what routes by hostname there. */
export function startWorkerdRouter(): Promise<Subject> {
  const bindings = `(name = "APP", service = "app")`;
  const router = { name: "router", module: "router.js", bindings };
  const app = { name: "app", module: "app.js" };
  return start([router, app], { "router.js": ROUTER });
}

/** workerd with its dynamic loader: the first request for a hostname makes an isolate for it. */
export function startWorkerdLoader(): Promise<Subject> {
  const bindings =
    `(name = "LOADER", workerLoader = (id = "apps")), (name = "SOURCE", text = embed "app.js")`;
  const loader = { name: "loader", module: "loader.js", bindings, compatibilityFlags: `"experimental"` };
  return start([loader], { "loader.js": LOADER });
}

/** The first worker is the one that visitors reach. */
async function start(
  workers: readonly [WorkerdWorker, ...WorkerdWorker[]],
  modules: Record<string, string>,
): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const binary = await workerdBinary();
  const port = freePort();
  const directory = await Deno.makeTempDir({ prefix: "isola-bench-workerd-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  const files = { ...modules, "config.capnp": configuration(port, workers) };
  for (const [file, text] of Object.entries(files)) await Deno.writeTextFile(`${directory}/${file}`, text);
  await Deno.copyFile(HELLO_APP, `${directory}/app.js`);
  const child = started.use(startChild(binary, ["serve", "--experimental", `${directory}/config.capnp`]));
  await until("workerd", () => firstByteMs(port, HOST), child);
  const owned = started.move();
  return { port, host: HOST, pids: [child.pid], [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The package's own `bin` is a script that starts this. */
async function workerdBinary(): Promise<string> {
  const architecture = Deno.build.arch === "x86_64" ? "64" : "arm64";
  return `${await installPackage("workerd", VERSION)}/@cloudflare/workerd-linux-${architecture}/bin/workerd`;
}

function configuration(port: number, workers: readonly [WorkerdWorker, ...WorkerdWorker[]]): string {
  const services = workers.map(({ name, module, bindings = "", compatibilityFlags = "" }) =>
    `(name = "${name}", worker = (
      modules = [(name = "${module}", esModule = embed "${module}")],
      compatibilityDate = "${COMPATIBILITY_DATE}",
      compatibilityFlags = [${compatibilityFlags}],
      bindings = [${bindings}],
    ))`
  );
  return `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(", ")}],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "${workers[0].name}")],
);
`;
}
