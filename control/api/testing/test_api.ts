/** The API on a real socket over a real store, for its tests. */
import { join } from "node:path";
import { ConfinedGit } from "../../git/confined_git.ts";
import { GitError } from "../../git/git_process.ts";
import { Repositories } from "../../git/push/repositories.ts";
import { type LogStore, openLogs } from "../../logs/mod.ts";
import { DEFAULT_LIMITS, type Image, type IsolateInfo } from "../../model.ts";
import { openStore, type Store } from "../../store/mod.ts";
import { UsageLedger } from "../../usage/mod.ts";
import { createApi } from "../api.ts";
import { Authenticator } from "../access/auth.ts";
import type { ApiDeps, Health } from "../deps.ts";
import type { RefusedTokenStatus, SubhosterStatus } from "../subhosting/subhoster_status.ts";

/** What a call was answered with. */
export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- JSON of any shape, which the tests look into
  body: any;
}

/** What is around a {@linkcode TestApi}. */
export interface TestApiOptions {
  /** Where domains are looked up. */
  nameServers?: string[];
  /** Whether certificates are ordered. @default {true} */
  acme?: boolean;
}

/** A running API, and what it handed to the parts that are not there. */
export class TestApi implements AsyncDisposable {
  readonly url: string;
  readonly token = "token-of-the-tests";
  readonly submitted: string[] = [];
  readonly cancelled: string[] = [];
  readonly ended: string[] = [];
  /** Changes of routes that no answer waited for yet. */
  unrouted = 0;
  isolates: IsolateInfo[] = [];
  readonly subhosters: SubhosterStatus[] = [];
  readonly refusedTokens: RefusedTokenStatus[] = [];
  health: Health = { status: "ok" };
  submitFails = false;
  /** Domains whose certificate was ordered. */
  readonly provisioned: string[] = [];
  /** How often it was told that a domain may want a certificate. */
  woken = 0;
  /** Why no certificate is got. */
  provisioningProblem: string | null = null;
  readonly distrusted: string[] = [];
  /** Projects whose repositories were to be looked at. */
  readonly looked: string[] = [];
  /** Why a repository cannot be read. */
  syncProblem: string | null = null;
  readonly store: Store;
  readonly logs: LogStore;
  readonly usage: UsageLedger;
  readonly deps: ApiDeps;
  readonly #dir: string;
  readonly #repositories: Repositories;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(
    { dir, store, logs, git }: { dir: string; store: Store; logs: LogStore; git: ConfinedGit },
    { nameServers = [], acme = true }: TestApiOptions,
  ) {
    this.#dir = dir;
    const organizationOf = (projectId: string) => store.projects.get(projectId)?.organizationId;
    this.#repositories = new Repositories({ dir: join(dir, "git"), git, organizationOf });
    this.store = store;
    this.logs = logs;
    this.usage = new UsageLedger(store.database);
    store.organizations.first();
    store.tokens.ensureAdmin(this.token);
    store.onRoutesChanged(() => this.unrouted++);
    this.deps = {
      store,
      repositories: this.#repositories,
      follower: {
        wake: (id) => this.looked.push(id),
        sync: (id) => this.#sync(id),
        finished: () => {},
      },
      authenticator: new Authenticator(store.tokens),
      logs,
      usage: this.usage,
      builds: {
        submit: (id) => {
          if (this.submitFails) throw new Error("1000 builds wait");
          this.submitted.push(id);
        },
        cancel: (id) => this.cancelled.push(id),
      },
      certificates: acme ? { provision: (id) => this.#provision(id), wake: () => this.woken++ } : undefined,
      dns: { servers: nameServers, addresses: ["203.0.113.5", "2001:db8::5"] },
      isolates: () => Promise.resolve(this.isolates),
      subhosting: { status: () => this.subhosters, refusedTokens: () => this.refusedTokens },
      routed: () => {
        this.unrouted = 0;
        return Promise.resolve();
      },
      ended: (id) => {
        if (this.unrouted > 0) throw new Error(`The routes of "${id}" were still in force when it ended`);
        this.ended.push(id);
      },
      distrusted: (id) => this.distrusted.push(id),
      isolation: "shared",
      health: () => this.health,
      metrics: () => "isola_up 1\n",
      region: "local",
      baseDomain: "isola.test",
      publicUrl: (hostname) => `http://${hostname}:8000`,
      controlHostnames: ["console.example.com"],
      clientAddress: (peer, headers) => headers.get("x-forwarded-for") ?? peer,
      limits: DEFAULT_LIMITS,
    };
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, createApi(this.deps));
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get organizationId(): string {
    return this.store.organizations.first().id;
  }

  /** Calls the API with its token. A body that is not a string or bytes is sent as JSON. */
  async call(method: string, path: string, body?: unknown, headers: HeadersInit = {}): Promise<Answer> {
    const isRaw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(new URL(path, this.url), {
      method,
      body: isRaw ? body as BodyInit | undefined : JSON.stringify(body),
      headers: { authorization: `Bearer ${this.token}`, ...headers },
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  /** Makes a project and returns its id. */
  async project(name: string): Promise<string> {
    return (await this.call("POST", `/v1/organizations/${this.organizationId}/projects`, { name })).body.id;
  }

  /** Creates a deployment of one small file and returns its id; `changes` go over the body. */
  async deployment(projectId: string, changes: Record<string, unknown> = {}): Promise<string> {
    const body = {
      entryPointUrl: "main.ts",
      assets: { "main.ts": { kind: "file", content: "1" } },
      envVars: {},
      ...changes,
    };
    return (await this.call("POST", `/v1/projects/${projectId}/deployments`, body)).body.id;
  }

  /** Ends a build with success. */
  succeed(deploymentId: string): void {
    const image: Image = { mode: "tree", entry: "main.ts", files: {} };
    this.store.deployments.finish(deploymentId, { status: "success", image });
    this.logs.build.end(deploymentId);
  }

  async #sync(projectId: string): Promise<void> {
    this.looked.push(projectId);
    await Promise.resolve();
    if (this.syncProblem !== null) throw new GitError(this.syncProblem);
  }

  async #provision(domainId: string): Promise<void> {
    this.provisioned.push(domainId);
    await Promise.resolve();
    if (this.provisioningProblem !== null) throw new Error(this.provisioningProblem);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.#repositories[Symbol.asyncDispose]();
    this.logs.close();
    this.usage[Symbol.dispose]();
    this.store.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** Starts the API on a free port with empty state. */
export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const dir = await Deno.makeTempDir({ prefix: "isola-api-" });
  const store = await openStore(dir);
  const parts = { dir, store, logs: openLogs(dir, store), git: await ConfinedGit.open() };
  return new TestApi(parts, options);
}
