/** A server between the relay and the origin of examples/subhosting, over deployments of a test. */
import { dirname, join } from "node:path";
import { SignJWT } from "jose";
import { LoggedProcess } from "./logged_process.ts";
import { isRunning } from "./processes.ts";
import { startTestServer, type TestFiles, type TestServer, until } from "./server.ts";

const EXAMPLE = new URL("../examples/subhosting/", import.meta.url).pathname;
const SUBHOSTER_ID = "example";
const START_TIMEOUT_MS = 30_000;

export interface RelayedServerOptions {
  /** Files by deployment; without `config.json`, there is an empty one. */
  deployments: Record<string, TestFiles>;
  /** Further `rpcRoots`. */
  rpcRoots?: string[];
  /** Further configuration of the server. */
  config?: Record<string, unknown>;
}

/** `{id}.localhost` is deployment `id`. */
export class RelayedServer implements AsyncDisposable {
  secret = newSecret();
  server!: TestServer;
  relayPort = 0;
  /** Where the server finds the origin; stays the same when that comes back. */
  originUrl = "http://127.0.0.1:0/v0/";
  readonly #dir = Deno.makeTempDirSync({ prefix: "isola-relayed-" });
  readonly #hostnamesFile = join(this.#dir, "hostnames.json");
  readonly #options: RelayedServerOptions;
  readonly #client = Deno.createHttpClient({ allowHost: true });
  #origin: LoggedProcess | undefined;
  readonly #relays: LoggedProcess[] = [];

  private constructor(options: RelayedServerOptions) {
    this.#options = options;
  }

  static async start(options: RelayedServerOptions): Promise<RelayedServer> {
    const started = new RelayedServer(options);
    try {
      for (const [id, files] of Object.entries(options.deployments)) started.#write(id, files);
      const hostnames = Object.keys(options.deployments).map((id) => [`${id}.localhost`, id]);
      Deno.writeTextFileSync(started.#hostnamesFile, JSON.stringify(Object.fromEntries(hostnames)));
      await started.startOrigin();
      started.server = await startTestServer(started.#serverOptions());
      await started.startRelay();
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the origin printed since it was started last. */
  get events(): string {
    return this.#origin?.output ?? "";
  }

  async startOrigin(env: Record<string, string> = {}): Promise<void> {
    this.#origin = startExample("origin.ts", {
      SHARED_SECRET: this.secret,
      ORIGIN_URL: this.originUrl,
      DEPLOYMENTS: join(this.#dir, "deployments"),
      ...env,
    });
    this.originUrl = await listening(this.#origin);
  }

  async stopOrigin(): Promise<void> {
    await this.#origin?.[Symbol.asyncDispose]();
    this.#origin = undefined;
  }

  /** Another relay, to which visitors come from now on; who came to the one before is answered by it until `stopRelay`. */
  async startRelay(): Promise<void> {
    const relay = startExample("relay.ts", {
      SHARED_SECRET: this.secret,
      RELAY_URL: "http://127.0.0.1:0/",
      INGRESS_URL: `http://127.0.0.1:${this.server.httpPort}/`,
      ORIGIN_URL: this.originUrl,
      SUBHOSTER_ID,
      HOSTNAMES: this.#hostnamesFile,
    });
    this.#relays.push(relay);
    this.relayPort = Number(new URL(await listening(relay)).port);
  }

  /** Ends the older relay. */
  async stopRelay(): Promise<void> {
    await this.#relays.shift()?.[Symbol.asyncDispose]();
  }

  /** Ends the server; another one starts with what it left. */
  async restartServer(): Promise<void> {
    const env = this.#addresses();
    await this.server[Symbol.asyncDispose]();
    this.server = await startTestServer({ ...this.#serverOptions(), env });
  }

  /** Has another server take the place of this one, with another configuration of the subhoster. */
  async takeOver(subhoster: Record<string, unknown>): Promise<void> {
    const { server: old } = this;
    const options = { ...this.#serverOptions(subhoster), env: this.#addresses(), args: ["--take-over"] };
    this.server = await startTestServer(options);
    await until("the older server ends", () => !isRunning(old.pid), 20_000, () => old.output);
    await old[Symbol.asyncDispose]();
  }

  /** A request of a visitor, through the relay. */
  fetch(
    id: string,
    path = "/",
    init: RequestInit & { headers?: Record<string, string> } = {},
  ): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.relayPort}${path}`, {
      redirect: "manual",
      ...init,
      client: this.#client,
      headers: { host: this.host(id), ...init.headers },
    } as RequestInit);
  }

  /** The body of a response with status 200. */
  async text(id: string, path = "/", init: RequestInit & { headers?: Record<string, string> } = {}) {
    const response = await this.fetch(id, path, init);
    const text = await response.text();
    if (response.status === 200) return text;
    throw new Error(`Status ${response.status}: ${text}`);
  }

  host(id: string): string {
    return `${id}.localhost:${this.relayPort}`;
  }

  /** A relay's token. */
  sign(deploymentId: string, options: { claims?: Record<string, unknown>; secret?: string } = {}) {
    const nowS = Math.floor(Date.now() / 1000);
    const claims = { deployment_id: deploymentId, rpc_root: this.originUrl, iat: nowS, exp: nowS + 60 };
    return new SignJWT({ ...claims, ...options.claims })
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: SUBHOSTER_ID })
      .sign(new TextEncoder().encode(options.secret ?? this.secret));
  }

  /** What the server itself answers to a request with a token. */
  ask(token: string, headers: Record<string, string> = {}): Promise<Response> {
    const signed = { "x-deno-subhost": token, "x-forwarded-host": "signed.example", ...headers };
    return fetch(`http://127.0.0.1:${this.server.httpPort}/`, { headers: signed });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.#relays) await relay[Symbol.asyncDispose]();
    await this.server?.[Symbol.asyncDispose]();
    await this.stopOrigin();
    this.#client.close();
    await Deno.remove(this.#dir, { recursive: true });
  }

  /** With which a server serves the same; in a data directory that stays. */
  #serverOptions(subhoster: Record<string, unknown> = {}) {
    const dataDir = join(this.#dir, "data");
    Deno.mkdirSync(dataDir, { recursive: true });
    const { rpcRoots = [], config } = this.#options;
    const configured = { id: SUBHOSTER_ID, secret: this.secret, rpcRoots: [this.originUrl, ...rpcRoots] };
    return { dataDir, config: { ...config, subhosting: [{ ...configured, ...subhoster }] } };
  }

  #addresses() {
    const { httpPort, controlUrl } = this.server;
    return { ISOLA_HTTP_ADDR: `127.0.0.1:${httpPort}`, ISOLA_CONTROL_ADDR: new URL(controlUrl).host };
  }

  #write(id: string, files: TestFiles): void {
    for (const [path, content] of Object.entries({ "config.json": "{}", ...files })) {
      const file = join(this.#dir, "deployments", id, path);
      Deno.mkdirSync(dirname(file), { recursive: true });
      if (typeof content === "string") Deno.writeTextFileSync(file, content);
      else Deno.writeFileSync(file, content);
    }
  }
}

/** As long as HS256 wants it (RFC 7518 §3.2). */
export function newSecret(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

function startExample(name: string, env: Record<string, string>): LoggedProcess {
  return new LoggedProcess([Deno.execPath(), "run", "-A", "--quiet", EXAMPLE + name], { env });
}

/** Where a program of examples/subhosting says that it listens. */
async function listening(process: LoggedProcess): Promise<string> {
  let url: string | undefined;
  await until(
    "relay or origin listens",
    () => {
      if (!process.isRunning) throw new Error(`It ended: ${process.output}`);
      url = /\bon (http:\S+)$/m.exec(process.output)?.[1];
      return url !== undefined;
    },
    START_TIMEOUT_MS,
    () => process.output,
  );
  return url!;
}
