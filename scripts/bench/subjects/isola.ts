import { makeCertificate } from "./certificate.ts";
import { freePort, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { answers } from "../measures/h2load.ts";
import { startIsolaServer } from "./isola_server.ts";
import { HELLO_APP, type Subject } from "./subject.ts";

const PROJECT = "bench";
const HOST = `${PROJECT}.localhost`;

/** What is not the default of an {@linkcode IsolaSubject}. */
export interface IsolaOptions {
  /** @default {HELLO_APP} */
  app?: URL;
  /** More of its configuration, as `ISOLA_…`. */
  env?: Record<string, string>;
  /** Whether it listens with TLS, too. @default {false} */
  tls?: boolean;
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
  const { app = HELLO_APP, env, tls = false } = options;
  await using started = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  started.defer(() => Deno.remove(dataDir, { recursive: true }));
  const tlsPort = tls ? freePort() : undefined;
  const secure = tlsPort === undefined ? {} : await tlsEnvironment(dataDir, tlsPort);
  const { port, pid, client } = started.use(await startIsolaServer({ dataDir, env: { ...env, ...secure } }));
  const projectId = await client.createProject(PROJECT);
  await client.deploy(projectId, { "main.ts": await Deno.readTextFile(app) });
  const listening = { port, tlsPort, host: HOST, pids: [pid] };
  await until("the first deployment", () => firstByteMs(port, HOST));
  if (tls) await until("the certificate", () => answers(listening, "h2"));
  const level = /level="(\w+)"/.exec(await client.metrics())?.[1] ?? "unknown";
  const owned = started.move();
  return {
    ...listening,
    level,
    async deployProgram(source) {
      const id = await client.deploy(projectId, { "main.ts": source });
      return { host: `${PROJECT}-${id}.localhost`, [Symbol.asyncDispose]: () => client.remove(id) };
    },
    metrics: () => client.metrics(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Both ports serve: there is no redirect. */
async function tlsEnvironment(directory: string, port: number): Promise<Record<string, string>> {
  const certificates = [await makeCertificate(directory, HOST)];
  const config = `${directory}/isola.yaml`;
  await Deno.writeTextFile(config, JSON.stringify({ tls: { certificates } }));
  return { ISOLA_CONFIG: config, ISOLA_HTTPS_ADDR: `127.0.0.1:${port}`, ISOLA_HTTP_REDIRECT: "off" };
}
