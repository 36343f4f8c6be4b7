import { until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { startIsolaServer } from "./isola_server.ts";
import { HELLO_APP, type Subject } from "./subject.ts";

const PROJECT = "bench";

/** What is not the default of an {@linkcode IsolaSubject}. */
export interface IsolaOptions {
  /** @default {HELLO_APP} */
  app?: URL;
  /** More of its configuration, as `ISOLA_…`. */
  env?: Record<string, string>;
}

/** Isola, with the app as the production deployment of a project. */
export interface IsolaSubject extends Subject {
  /** Which sandbox it found. */
  level: string;
  /** Deploys another program; it is deleted, and its isolate ended, by disposal. */
  deployProgram(source: string): Promise<DeployedProgram>;
  /** What `/metrics` of the control address says now. */
  metrics(): Promise<string>;
}

/** A program on an {@linkcode IsolaSubject}. */
export interface DeployedProgram extends AsyncDisposable {
  host: string;
}

/** One server with its defaults: one runner, a process for each isolate. */
export async function startIsola(options: IsolaOptions = {}): Promise<IsolaSubject> {
  const { app = HELLO_APP, env } = options;
  await using started = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  started.defer(() => Deno.remove(dataDir, { recursive: true }));
  const { port, pid, client } = started.use(await startIsolaServer({ dataDir, env }));
  const projectId = await client.createProject(PROJECT);
  await client.deploy(projectId, { "main.ts": await Deno.readTextFile(app) });
  const host = `${PROJECT}.localhost`;
  await until("the first deployment", () => firstByteMs(port, host));
  const level = /level="(\w+)"/.exec(await client.metrics())?.[1] ?? "unknown";
  const owned = started.move();
  return {
    ...{ port, host, pids: [pid], level },
    async deployProgram(source) {
      const id = await client.deploy(projectId, { "main.ts": source });
      return { host: `${PROJECT}-${id}.localhost`, [Symbol.asyncDispose]: () => client.remove(id) };
    },
    metrics: () => client.metrics(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
