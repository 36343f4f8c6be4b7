/** A real server as a child process, on free ports, with the calls that tests make of it. */
import assert from "node:assert/strict";
import { LoggedProcess } from "./logged_process.ts";

const START_TIMEOUT_MS = 60_000;
const BUILD_TIMEOUT_MS = 120_000;
const POLL_MS = 50;
/** The command line, as the README has it. */
export const ISOLA: [string, ...string[]] = [
  Deno.execPath(),
  "run",
  "-A",
  new URL("../mod.ts", import.meta.url).pathname,
];
const TOKEN = "test-token";

export interface TestServerOptions {
  /** Kept after the server; default: a temporary one, removed. */
  dataDir?: string;
  env?: Record<string, string>;
  /** Flags of `serve`. */
  args?: string[];
  /** What `isola.yaml` says. */
  config?: Record<string, unknown>;
  /** The command that runs the server's, which follows it. */
  within?: string[];
}

/** A file's text, or bytes. */
export type TestFiles = Record<string, string | Uint8Array>;

export interface TestDeployment {
  id: string;
  projectId: string;
  status: string;
  domains: string[];
  [field: string]: unknown;
}

/** A deployment's live isolate, as the API shows it. */
export interface TestIsolate {
  deploymentId: string;
  state: string;
  pid: number;
  requests: number;
  inFlight: number;
  lastRequestAt: string | null;
  cpuMs: number;
  memoryBytes: number;
}

/** One server for all the tests of a file: started before the first of them, ended after the last. */
export function serverForTests(
  options: TestServerOptions | (() => Promise<TestServerOptions>) = {},
): { readonly server: TestServer } {
  let server: TestServer | undefined;
  Deno.test.beforeAll(async () => {
    server = await startTestServer(typeof options === "function" ? await options() : options);
  });
  Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());
  return {
    get server() {
      return server!;
    },
  };
}

/** The text of a small app in `tests/apps/`. */
export function appSource(name: string): string {
  return Deno.readTextFileSync(new URL(`apps/${name}`, import.meta.url));
}

/** Starts a server and waits until it is ready. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "isola-test-" });
  const config = `${dataDir}/isola.yaml`;
  // JSON is YAML.
  if (options.config !== undefined) await Deno.writeTextFile(config, JSON.stringify(options.config));
  const process = new LoggedProcess(
    [...options.within ?? [], ...ISOLA, "serve", ...options.args ?? []],
    {
      env: {
        ...options.config && { ISOLA_CONFIG: config },
        ISOLA_DATA_DIR: dataDir,
        ISOLA_HTTP_ADDR: "127.0.0.1:0",
        ISOLA_CONTROL_ADDR: "127.0.0.1:0",
        ISOLA_ADMIN_TOKEN: TOKEN,
        ISOLA_WARM_POOL: "1",
        ...options.env,
      },
    },
  );
  const server = new TestServer(process, dataDir, options.dataDir === undefined);
  try {
    await server.ready();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

export class TestServer implements AsyncDisposable {
  readonly token = TOKEN;
  readonly dataDir: string;
  httpPort = 0;
  /** 0 = it listens for no TLS. */
  httpsPort = 0;
  controlUrl = "";
  readonly #process: LoggedProcess;
  readonly #ownsDataDir: boolean;
  readonly #client = Deno.createHttpClient({ allowHost: true });

  constructor(process: LoggedProcess, dataDir: string, ownsDataDir: boolean) {
    this.#process = process;
    this.dataDir = dataDir;
    this.#ownsDataDir = ownsDataDir;
  }

  /** What the server printed so far. */
  get output(): string {
    return this.#process.output;
  }

  get pid(): number {
    return this.#process.pid;
  }

  async ready(): Promise<void> {
    await until(
      "the server says where it listens",
      () => {
        if (!this.#process.isRunning) assert.fail(`The server ended: ${this.output}`);
        this.httpPort = Number(/apps\s+http:\/\/\S+:(\d+)/.exec(this.output)?.[1] ?? 0);
        this.httpsPort = Number(/https\s+https:\/\/\S+:(\d+)/.exec(this.output)?.[1] ?? 0);
        this.controlUrl = /control\s+(http:\S+)/.exec(this.output)?.[1] ?? "";
        return this.httpPort > 0 && this.controlUrl !== "";
      },
      START_TIMEOUT_MS,
      () => this.output,
    );
    await until(
      "the server is healthy",
      async () => {
        const response = await fetch(`${this.controlUrl}/healthz`);
        await response.body?.cancel();
        return response.ok;
      },
      START_TIMEOUT_MS,
      () => this.output,
    );
  }

  /** A call of the control API; fails the test unless it answers 200. */
  async api<T = TestDeployment>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.call(method, path, body);
    const text = await response.text();
    assert.equal(response.status, 200, `${method} ${path}: ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** A call of the control API, whatever it answers. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return fetch(this.controlUrl + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** The project of that name, made if there is none; its id. */
  async project(name: string): Promise<string> {
    const [organization] = await this.api<{ id: string }[]>("GET", "/v1/organizations");
    const path = `/v1/organizations/${organization!.id}/projects`;
    const found = await this.api<{ id: string; name: string }[]>("GET", `${path}?q=${name}&limit=100`);
    const project = found.find((one) => one.name === name);
    return project?.id ?? (await this.api("POST", path, { name })).id;
  }

  /** Deploys files under a project's name and waits for the end of the build; fails the test unless it succeeds. */
  async deploy(
    name: string,
    files: TestFiles | string,
    options: Record<string, unknown> = {},
  ): Promise<TestDeployment> {
    const deployment = await this.build(name, files, options);
    assert.equal(deployment.status, "success", JSON.stringify(await this.buildLog(deployment.id), null, 1));
    return deployment;
  }

  /** As {@linkcode TestServer.deploy}, however the build ends. */
  async build(
    name: string,
    files: TestFiles | string,
    options: Record<string, unknown> = {},
  ): Promise<TestDeployment> {
    const given: TestFiles = typeof files === "string" ? { "main.ts": files } : files;
    const assets = Object.fromEntries(
      Object.entries(given).map(([path, content]) => [path, asset(content)]),
    );
    const created = await this.api("POST", `/v1/projects/${await this.project(name)}/deployments`, {
      entryPointUrl: "main.ts",
      assets,
      envVars: {},
      ...options,
    });
    return await this.built(created.id);
  }

  /** Waits for the end of a build. */
  async built(id: string): Promise<TestDeployment> {
    const read = () => this.api("GET", `/v1/deployments/${id}`);
    let deployment = await read();
    await until(`the build of ${id} ends`, async () => {
      deployment = await read();
      return deployment.status !== "pending";
    }, BUILD_TIMEOUT_MS);
    return deployment;
  }

  buildLog(id: string): Promise<{ level: string; message: string }[]> {
    return this.api("GET", `/v1/deployments/${id}/build_logs`);
  }

  /** The past lines of a deployment's log, oldest first. */
  appLogs(id: string): Promise<{ time: string; level: string; message: string; region: string }[]> {
    return this.api("GET", `/v1/deployments/${id}/app_logs?since=2000-01-01T00:00:00Z&order=asc&limit=10000`);
  }

  isolates(): Promise<TestIsolate[]> {
    return this.api("GET", "/v1/isolates");
  }

  /** The live isolate of a deployment, if there is one. */
  async isolate(deploymentId: string): Promise<TestIsolate | undefined> {
    return (await this.isolates()).find((one) => one.deploymentId === deploymentId);
  }

  /** A request of a visitor: `host` as the Host header, `NAME` short for `NAME.localhost`. */
  fetch(
    host: string,
    path = "/",
    init: RequestInit & { headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const hostname = host.includes(".") ? host : `${host}.localhost`;
    return fetch(`http://127.0.0.1:${this.httpPort}${path}`, {
      redirect: "manual",
      ...init,
      client: this.#client,
      headers: { host: `${hostname}:${this.httpPort}`, ...init.headers },
    } as RequestInit);
  }

  async text(
    host: string,
    path = "/",
    init: RequestInit & { headers?: Record<string, string> } = {},
  ): Promise<string> {
    const response = await this.fetch(host, path, init);
    return await response.text();
  }

  /** Sends a signal and waits for the end of the process. */
  kill(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    return this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    this.#client.close();
    if (this.#ownsDataDir) await Deno.remove(this.dataDir, { recursive: true });
  }
}

/** Waits for a condition, not for a time; fails the test after a time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
  detail: () => string = () => "",
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!await condition()) {
    if (Date.now() > deadline) assert.fail(`Not within ${timeoutMs}ms: ${what}\n${detail()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function asset(content: string | Uint8Array) {
  if (typeof content === "string") return { kind: "file", content, encoding: "utf-8" };
  return { kind: "file", content: content.toBase64(), encoding: "base64" };
}
