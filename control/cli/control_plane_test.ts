import assert from "node:assert/strict";
import { join } from "node:path";
import { Authenticator, createApi, type RefusedTokenStatus, type SubhosterStatus } from "../api/mod.ts";
import { TestDnsServer } from "../domains/testing/dns_server.ts";
import { ConfinedGit } from "../git/confined_git.ts";
import { Repositories } from "../git/push/repositories.ts";
import { openFollower } from "../git/repository_follower.ts";
import { openLogs } from "../logs/mod.ts";
import { type AppLog, type BuildLog, DEFAULT_LIMITS, type IsolateInfo } from "../model.ts";
import { openStore } from "../store/mod.ts";
import { UsageLedger } from "../usage/mod.ts";
import { type CliDeps, runCli } from "./run_cli.ts";
import { TempFolder } from "./snapshot/temp_folder_test.ts";

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
  store.organizations.first();
  store.tokens.ensureAdmin(TOKEN);
  const dns = new TestDnsServer();
  const plane = {
    store,
    logs,
    usage: new UsageLedger(store.database),
    dns,
    /** Instead of ordering a certificate. */
    provision: (domainId: string): Promise<void> => {
      store.domains.setProvisioning(domainId, { code: "success" });
      return Promise.resolve();
    },
    nextBuild: { status: "success", log: [{ level: "info", message: "Bundled" }] } as BuildEnd,
    isolates: [] as IsolateInfo[],
    subhosters: [] as SubhosterStatus[],
    refusedTokens: [] as RefusedTokenStatus[],
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
  const builds = { submit: (id: string) => queueMicrotask(() => build(id)), cancel() {} };
  const publicUrl = (hostname: string) => `http://${hostname}:8000`;
  const routed = () => Promise.resolve();
  const git = await ConfinedGit.open();
  const repositories = new Repositories({ dir: join(dataDir, "git"), git, organizationOf: () => "ours" });
  const follower = await openFollower({
    ...{ store, logs, builds, git, publicUrl, routed },
    isolation: "process",
    allowPrivate: ["127.0.0.1"],
    baseDomain: "localhost",
    dir: join(dataDir, "git-fetch"),
    socketsDir: join(dataDir, "sockets"),
  });
  const api = createApi({
    store,
    repositories,
    follower,
    authenticator: new Authenticator(store.tokens),
    logs,
    usage: plane.usage,
    builds,
    certificates: { provision: (id) => plane.provision(id), wake() {} },
    dns: { servers: [dns.address], addresses: ["203.0.113.5"] },
    isolates: () => Promise.resolve(plane.isolates),
    subhosting: { status: () => plane.subhosters, refusedTokens: () => plane.refusedTokens },
    routed,
    ended() {},
    distrusted() {},
    isolation: "process",
    health: () => plane.health,
    metrics: () => "",
    region: "local",
    baseDomain: "localhost",
    publicUrl,
    controlHostnames: [],
    clientAddress: (peer) => peer,
    limits: DEFAULT_LIMITS,
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request, info) => {
    const line = `${request.method} ${new URL(request.url).pathname}`;
    plane.requests.push(line);
    seen.writeSync(new TextEncoder().encode(`${line}\n`));
    return api(request, info);
  });
  return Object.assign(plane, {
    url: `http://127.0.0.1:${server.addr.port}`,
    acceptToken: (token: string) => void store.tokens.ensureAdmin(token),
    /** Resolves once the requests, one a line, match. */
    until: (pattern: RegExp) => seen.until(pattern),
    /** Of the deployment that was created last. */
    lastVariables: () => store.deployments.get(lastId)?.env,
    writeLog: (deploymentId: string, ...lines: AppLog[]) => logs.app.append(deploymentId, lines),
    async [Symbol.asyncDispose]() {
      logs.close();
      await server.shutdown();
      plane.usage[Symbol.dispose]();
      await follower[Symbol.asyncDispose]();
      await repositories[Symbol.asyncDispose]();
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

/** A standard input: lines of a person at a terminal, or what comes from a pipe. */
export class Keyboard {
  readonly #input: Uint8Array[];
  /** Whether what is typed is shown. */
  raw = false;

  constructor(lines: readonly string[] = [], readonly terminal = false) {
    this.#input = lines.map((line) => new TextEncoder().encode(`${line}\n`));
  }

  read(into: Uint8Array): Promise<number | null> {
    const next = this.#input.shift();
    if (next !== undefined) into.set(next);
    return Promise.resolve(next?.length ?? null);
  }

  isTerminal(): boolean {
    return this.terminal;
  }

  setRaw(raw: boolean): void {
    this.raw = raw;
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
    stdin: new Keyboard(),
    signal: new AbortController().signal,
    memoryBytes: 2 ** 30,
    version: "0.0.0-test",
    exampleDir: "/nowhere",
    subhostingExampleDir: "/nowhere",
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

/** Deploys something new to a project; returns the deployment's id. */
export async function deployTo(plane: ControlPlane, project: string, ...args: string[]): Promise<string> {
  using folder = new TempFolder({ "main.ts": crypto.randomUUID() });
  const { code, out, err } = await run(plane, ["deploy", folder.path, "-p", project, "--json", ...args]);
  assert.equal(code, 0, err);
  return JSON.parse(out).deployment.id;
}
