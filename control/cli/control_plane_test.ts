import { createApi } from "../api/mod.ts";
import { TestDnsServer } from "../domains/testing/dns_server.ts";
import { openLogs } from "../logs/mod.ts";
import { type AppLog, type BuildLog, DEFAULT_LIMITS, type IsolateInfo } from "../model.ts";
import { openStore } from "../store/mod.ts";
import { UsageLedger } from "../usage/mod.ts";
import { type CliDeps, runCli } from "./run_cli.ts";

/** The administrator's token of a {@linkcode ControlPlane}. */
export const TOKEN = "test-token";

/** How a test wants a build to end. */
export interface BuildEnd {
  status: "success" | "failed";
  log: BuildLog[];
}

/**
 * The real API over the real store on a port of its own; only what runs a deployment is the test's: a build ends as
 * `nextBuild` says (by default, well).
 */
export async function startControlPlane() {
  const dataDir = Deno.makeTempDirSync({ prefix: "isola-test-" });
  const store = await openStore(dataDir);
  const logs = openLogs(dataDir, store);
  store.tokens.ensureAdmin(store.organizations.first().id, TOKEN);
  const dns = new TestDnsServer();
  const plane = {
    store,
    dns,
    /** Instead of ordering a certificate. */
    provision: (domainId: string): Promise<void> => {
      store.domains.setProvisioning(domainId, { code: "success" });
      return Promise.resolve();
    },
    nextBuild: { status: "success", log: [{ level: "info", message: "Bundled" }] } as BuildEnd,
    isolates: [] as IsolateInfo[],
    health: {
      status: "ok" as "ok" | "starting",
      version: "1.2.3",
      region: "local",
      sandbox: { level: "full", detail: "bubblewrap, seccomp", missing: [] as string[] },
    },
    /** "METHOD path" of each request. */
    requests: [] as string[],
  };
  const seen = new Recorder();
  let lastId = "";
  const build = (id: string) => {
    lastId = id;
    const { status, log } = plane.nextBuild;
    for (const line of log) logs.build.append(id, line);
    const entry = store.deployments.get(id)!.source.entrypoint;
    const image = { mode: "bundle" as const, entry, files: {} };
    store.deployments.finish(id, status === "success" ? { status, image } : { status });
    logs.build.end(id);
  };
  const api = createApi({
    store,
    logs,
    usage: new UsageLedger(store.database),
    builds: { submit: (id) => queueMicrotask(() => build(id)), cancel() {} },
    certificates: { provision: (id) => plane.provision(id), wake() {} },
    dns: { servers: [dns.address], addresses: ["203.0.113.5"] },
    isolates: () => Promise.resolve(plane.isolates),
    routed: () => Promise.resolve(),
    ended() {},
    distrusted() {},
    isolation: "process",
    health: () => plane.health,
    metrics: () => "",
    baseDomain: "localhost",
    publicUrl: (hostname) => `http://${hostname}:8000`,
    controlHostnames: [],
    limits: DEFAULT_LIMITS,
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const line = `${request.method} ${new URL(request.url).pathname}`;
    plane.requests.push(line);
    seen.writeSync(new TextEncoder().encode(`${line}\n`));
    return api(request);
  });
  return Object.assign(plane, {
    url: `http://127.0.0.1:${server.addr.port}`,
    acceptToken: (token: string) => void store.tokens.ensureAdmin(store.organizations.first().id, token),
    /** Resolves once the requests, one a line, match. */
    until: (pattern: RegExp) => seen.until(pattern),
    /** Of the deployment that was created last. */
    lastVariables: () => store.deployments.get(lastId)?.env,
    writeLog: (deploymentId: string, ...lines: AppLog[]) => logs.app.append(deploymentId, lines),
    async [Symbol.asyncDispose]() {
      logs.close();
      await server.shutdown();
      await dns[Symbol.asyncDispose]();
      store.close();
      await Deno.remove(dataDir, { recursive: true });
    },
  });
}

/** What {@linkcode startControlPlane} starts. */
export type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>;

/** A stream that keeps what is written to it. */
export class Recorder {
  #text = "";
  readonly #decoder = new TextDecoder();
  #waiting: { pattern: RegExp; resolve: () => void }[] = [];

  constructor(readonly terminal = false) {}

  get text(): string {
    return this.#text;
  }

  writeSync(bytes: Uint8Array): number {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    this.#waiting = this.#waiting.filter(({ pattern, resolve }) => {
      if (!pattern.test(this.#text)) return true;
      resolve();
      return false;
    });
    return bytes.length;
  }

  isTerminal(): boolean {
    return this.terminal;
  }

  /** Resolves once something that matches has been written. */
  until(pattern: RegExp): Promise<void> {
    if (pattern.test(this.#text)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ pattern, resolve }));
  }
}

/** One run of the command line. */
export interface Run {
  code: number;
  out: string;
  err: string;
}

/** The process around a command line, recorded. */
export function testDeps(deps: Partial<CliDeps> = {}): CliDeps & { stdout: Recorder; stderr: Recorder } {
  return {
    env: {},
    cwd: "/",
    signal: new AbortController().signal,
    memoryBytes: 2 ** 30,
    version: "0.0.0-test",
    exampleDir: "/nowhere",
    startServer: () => Promise.reject(new Error("This test starts no server")),
    ...deps,
    stdout: new Recorder(),
    stderr: new Recorder(),
  };
}

/** Runs a command line against a control plane. */
export async function run(plane: ControlPlane, args: string[], deps: Partial<CliDeps> = {}): Promise<Run> {
  const all = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN }, ...deps });
  const code = await runCli(args, all);
  return { code, out: all.stdout.text, err: all.stderr.text };
}
