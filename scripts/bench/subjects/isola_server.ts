import { freePort, startChild, until } from "./child.ts";
import { IsolaClient, TOKEN } from "./isola_client.ts";
import { untilQuiet } from "../measures/quiet.ts";

/** The command line's file. */
export const MAIN = new URL("../../../mod.ts", import.meta.url).pathname;

/** What an {@linkcode IsolaServer} is started with. */
export interface IsolaServerOptions {
  dataDir: string;
  /** Blank sandboxes kept ready. @default {2} */
  warmPool?: number;
  /** More of its configuration, as `ISOLA_…`. */
  env?: Record<string, string>;
}

/** A server on 127.0.0.1, ended by disposal. */
export interface IsolaServer extends AsyncDisposable {
  /** Of the data plane. */
  port: number;
  pid: number;
  client: IsolaClient;
  warmPool: number;
}

/** Starts a server and resolves once it is ready. What the options do not say has its default. */
export async function startIsolaServer(options: IsolaServerOptions): Promise<IsolaServer> {
  const { dataDir, warmPool = 2, env = {} } = options;
  await using started = new AsyncDisposableStack();
  const [port, controlPort] = [freePort(), freePort()];
  const child = started.use(startChild(Deno.execPath(), ["run", "-A", MAIN, "serve"], {
    ISOLA_DATA_DIR: dataDir,
    ISOLA_HTTP_ADDR: `127.0.0.1:${port}`,
    ISOLA_CONTROL_ADDR: `127.0.0.1:${controlPort}`,
    ISOLA_ADMIN_TOKEN: TOKEN,
    ISOLA_WARM_POOL: `${warmPool}`,
    ...env,
  }));
  const client = new IsolaClient(`http://127.0.0.1:${controlPort}`);
  await until("Isola", () => client.health(), child);
  const owned = started.move();
  return { port, pid: child.pid, client, warmPool, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Returns once the warm pool of a server is full, and nothing of it nor of the `others` works. */
export async function untilRested(
  { client, pid, warmPool }: IsolaServer,
  others: readonly number[] = [],
): Promise<void> {
  await until("the warm pool", async () => {
    const blank = Number(/^isola_sandboxes\{phase="blank"\} (\d+)$/m.exec(await client.metrics())?.[1]);
    if (blank !== warmPool) throw new Error(`${blank} of ${warmPool} sandboxes are ready`);
  });
  await untilQuiet([pid, ...others]);
}
