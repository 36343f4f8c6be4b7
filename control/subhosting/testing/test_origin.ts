import { createHash } from "node:crypto";
import { jwtVerify } from "jose";
import type { Origin, SubhosterConfig, SubhostingEvent } from "../model.ts";
import type { OriginFault } from "./origin_faults.ts";

/** What an origin has of one deployment. */
export interface TestDeployment {
  code: string | Uint8Array<ArrayBuffer>;
  /** `x-deno-config`; an entry point is added where it has none. */
  config?: Record<string, unknown>;
  /** Contents by path, such as `/a/b.txt`. */
  files?: Record<string, string>;
}

/** Options of {@linkcode TestOrigin.start}. */
export interface TestOriginOptions {
  secret: string;
  /** @default {"acme"} */
  subhosterId?: string;
  deployments?: Record<string, TestDeployment>;
}

/** A call that an origin has got. */
export interface OriginCall {
  rpc: string;
  deploymentId: string | null;
  hash: string | null;
}

/** Of a token; ours have 60. */
const MAX_TOKEN_AGE_S = 120;
const PATH = "/v0/";

/** The entry point of deployments whose configuration names none. */
export const TEST_ENTRYPOINT = "file:///src/main.js";

/** The origin of a test's own: a real server, as strict with tokens as an origin can be, that can be told to misbehave. */
export class TestOrigin implements AsyncDisposable {
  readonly subhosterId: string;
  readonly deployments: Map<string, TestDeployment>;
  /** Every call, also those that were refused. */
  readonly calls: OriginCall[] = [];
  /** All that were posted, in order. */
  readonly events: SubhostingEvent[] = [];
  /** Why calls were refused: it is empty unless something is wrong. */
  readonly refusals: string[] = [];
  /** Signs the tokens that are accepted; to be changed at any time. */
  secret: string;
  /** How it misbehaves in a call. */
  fault: (call: OriginCall) => OriginFault | undefined = () => undefined;
  #server: Deno.HttpServer<Deno.NetAddr> | null = null;
  #stopped = new AbortController();
  #port = 0;

  private constructor({ secret, subhosterId = "acme", deployments = {} }: TestOriginOptions) {
    this.secret = secret;
    this.subhosterId = subhosterId;
    this.deployments = new Map(Object.entries(deployments));
  }

  static start(options: TestOriginOptions): Promise<TestOrigin> {
    const origin = new TestOrigin(options);
    origin.restart();
    return Promise.resolve(origin);
  }

  get rpcRoot(): string {
    return `http://127.0.0.1:${this.#port}${PATH}`;
  }

  get origin(): Origin {
    return { subhosterId: this.subhosterId, rpcRoot: this.rpcRoot };
  }

  /** Its subhoster, as a server is configured that calls it. */
  get subhoster(): SubhosterConfig {
    return {
      id: this.subhosterId,
      secret: this.secret,
      nextSecret: null,
      rpcRoots: [this.rpcRoot],
      limits: {},
      net: null,
      region: null,
    };
  }

  /** Listens again where it did. */
  restart(): void {
    this.#stopped = new AbortController();
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: this.#port, onListen: () => {} },
      (request) => this.#serve(request),
    );
    this.#port = this.#server.addr.port;
  }

  /** Connections are refused from then on. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const server = this.#server;
    this.#server = null;
    await server?.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #serve(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const call: OriginCall = {
      rpc: pathname.startsWith(PATH) ? pathname.slice(PATH.length) : pathname,
      deploymentId: searchParams.get("deployment_id"),
      hash: searchParams.get("hash"),
    };
    this.calls.push(call);
    const problem = await this.#tokenProblem(request, call);
    if (problem !== null) {
      this.refusals.push(problem);
      return new Response(problem, { status: 401 });
    }
    const right = () => this.#answer(request, call);
    return await (this.fault(call)?.(right, this.#stopped.signal) ?? right());
  }

  async #tokenProblem(request: Request, { deploymentId }: OriginCall): Promise<string | null> {
    const token = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token === undefined) return "no token";
    try {
      const { payload, protectedHeader } = await jwtVerify(token, new TextEncoder().encode(this.secret), {
        algorithms: ["HS256"],
        typ: "JWT",
        requiredClaims: ["iat", "exp"],
        maxTokenAge: MAX_TOKEN_AGE_S,
      });
      if (protectedHeader.kid !== this.subhosterId) return `kid "${protectedHeader.kid}"`;
      const claims = Object.keys(payload).sort().join();
      const expected = deploymentId === null ? "exp,iat" : "deployment_id,exp,iat";
      if (claims !== expected) return `claims "${claims}"`;
      if (deploymentId !== null && payload.deployment_id !== deploymentId) return "another deployment_id";
      return payload.exp! - payload.iat! > MAX_TOKEN_AGE_S ? "it lives too long" : null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #answer(request: Request, { rpc, deploymentId, hash }: OriginCall): Promise<Response> {
    if (rpc === "events" && request.method === "POST") return await this.#takeEvents(request);
    const deployment = this.deployments.get(deploymentId ?? "");
    if (deployment === undefined || request.method !== "GET") return new Response(null, { status: 404 });
    if (rpc === "boot") return bootAnswer(deployment);
    const files = Object.entries(deployment.files ?? {});
    if (rpc === "read_tree") return Response.json({ entries: treeEntries(files) });
    const file = files.find(([, content]) => hashOf(content) === hash);
    return rpc === "read_blob" && file !== undefined
      ? new Response(file[1], { headers: { "content-type": "application/octet-stream" } })
      : new Response(null, { status: 404 });
  }

  async #takeEvents(request: Request): Promise<Response> {
    if (request.headers.get("content-encoding") !== "gzip") return new Response(null, { status: 415 });
    const text = await new Response(request.body!.pipeThrough(new DecompressionStream("gzip"))).text();
    for (const line of text.split("\n")) {
      if (line !== "") this.events.push(JSON.parse(line));
    }
    return new Response("OK");
  }
}

function bootAnswer({ code, config }: TestDeployment): Response {
  const json = JSON.stringify({ entrypoint: TEST_ENTRYPOINT, ...config });
  // A header's characters are its bytes: these are UTF-8.
  const header = new TextDecoder("latin1").decode(new TextEncoder().encode(json));
  return new Response(code, { headers: { "x-deno-config": header } });
}

function treeEntries(files: [path: string, content: string][]): Record<string, unknown> {
  const entries: Record<string, unknown> = { "": { kind: "directory" } };
  for (const [path, content] of files) {
    for (let slash = path.indexOf("/", 1); slash > 0; slash = path.indexOf("/", slash + 1)) {
      entries[path.slice(0, slash)] = { kind: "directory" };
    }
    entries[path] = { kind: "file", size: new TextEncoder().encode(content).length, hash: hashOf(content) };
  }
  return entries;
}

function hashOf(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}
