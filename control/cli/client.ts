import { setTimeout as delay } from "node:timers/promises";
import { directClient } from "../http/direct_client.ts";
import type { BuildLog, IsolateInfo, Organization } from "../model.ts";
import type {
  ApiDeployment,
  ApiDomain,
  ApiHealth,
  ApiProject,
  CreateDeploymentRequest,
  DomainTarget,
} from "./api_shapes.ts";
import { chosenOrganization } from "./access/chosen_organization.ts";
import { CliError } from "./cli_error.ts";
import { isLoopback } from "./loopback.ts";
import { readNdjson } from "./ndjson.ts";

/** How to reach a server. */
export interface ApiClientOptions {
  url: string;
  token: string | undefined;
  /** Name or id; without it, the only one. */
  organization?: string | undefined;
  /** Ends every call. */
  signal: AbortSignal;
  /** Wait before the first repetition; doubled for each further one. @default {250} */
  retryDelayMs?: number;
}

/** One call of the control API. */
export interface Call {
  /** For the message when it fails: "list projects". */
  action: string;
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | undefined>;
  json?: unknown;
  /** Opened anew for each attempt. */
  body?: () => Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>>;
  ndjson?: boolean;
  /** Sent again if it fails on the way. @default {true, but for POST} */
  idempotent?: boolean;
  signal?: AbortSignal;
}

const MAX_ATTEMPTS = 4;
const PAGE_SIZE = 100;
/** Ends a listing that a broken server would page for ever. */
const MAX_PAGES = 1000;

/** What can be changed of a project. */
export type ProjectChanges = Partial<Pick<ApiProject, "untrusted" | "accessLog">>;

/** The control API (INTERFACE §6) of one server. Failures are {@linkcode CliError}s that name the call. */
export class ApiClient implements Disposable {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;
  readonly #retryDelayMs: number;
  readonly #http: Deno.HttpClient | undefined;
  readonly #organizationName: string | undefined;
  #organization: Promise<Organization> | null = null;

  constructor({ url, token, organization, signal, retryDelayMs = 250 }: ApiClientOptions) {
    const parsed = URL.parse(url);
    if (!parsed || !/^https?:$/.test(parsed.protocol)) {
      throw new CliError("usage", `Cannot use server address "${url}": must be an http or https URL`);
    }
    this.url = parsed.origin;
    this.#token = token;
    this.#organizationName = organization;
    this.#signal = signal;
    this.#retryDelayMs = retryDelayMs;
    this.#http = loopbackClient(parsed);
  }

  /** The organization that was chosen, else the only one. */
  async organization(): Promise<Organization> {
    return await (this.#organization ??= chosenOrganization(this, this.#organizationName));
  }

  /** The id of the organization that was chosen; `undefined` = none was. */
  async chosenOrganizationId(): Promise<string | undefined> {
    return this.#organizationName === undefined ? undefined : (await this.organization()).id;
  }

  /** All projects, or those whose name or id contains `q`. */
  async projects(q?: string): Promise<ApiProject[]> {
    const { id } = await this.organization();
    return await this.pages({
      action: "list projects",
      path: `/v1/organizations/${id}/projects`,
      query: { q },
    });
  }

  /** By name or id. */
  async findProject(nameOrId: string): Promise<ApiProject | undefined> {
    const found = await this.projects(nameOrId);
    return found.find(({ id, name }) => id === nameOrId || name === nameOrId);
  }

  async createProject(name: string, untrusted = false): Promise<ApiProject> {
    const { id } = await this.organization();
    return await this.json({
      action: `create project "${name}"`,
      method: "POST",
      path: `/v1/organizations/${id}/projects`,
      json: { name, untrusted },
    });
  }

  async updateProject({ id, name }: ApiProject, changes: ProjectChanges): Promise<ApiProject> {
    return await this.json({
      action: `update project "${name}"`,
      method: "PATCH",
      path: `/v1/projects/${id}`,
      json: changes,
    });
  }

  async deleteProject({ id, name }: ApiProject): Promise<void> {
    await this.done({ action: `delete project "${name}"`, method: "DELETE", path: `/v1/projects/${id}` });
  }

  /** Newest first. */
  async deployments(projectId: string): Promise<ApiDeployment[]> {
    const path = `/v1/projects/${projectId}/deployments`;
    return await this.pages({
      action: "list deployments",
      path,
      query: { sort: "created_at", order: "desc" },
    });
  }

  async deployment(id: string): Promise<ApiDeployment> {
    return await this.json({ action: `get deployment "${id}"`, path: deploymentPath(id) });
  }

  /** @returns a deployment that is still to be built */
  async createDeployment(projectId: string, request: CreateDeploymentRequest): Promise<ApiDeployment> {
    const path = `/v1/projects/${projectId}/deployments`;
    return await this.json({ action: "create deployment", method: "POST", path, json: request });
  }

  async deleteDeployment(id: string): Promise<void> {
    await this.done({ action: `delete deployment "${id}"`, method: "DELETE", path: deploymentPath(id) });
  }

  /** Makes it the production of its project. */
  async promote(id: string): Promise<ApiDeployment> {
    const path = deploymentPath(id, "promote");
    return await this.json({ action: `promote deployment "${id}"`, method: "POST", path, idempotent: true });
  }

  /** Those of the git blob SHA-1s whose content the server lacks. */
  async missingAssets(projectId: string, gitSha1s: string[]): Promise<string[]> {
    const path = `/v1/projects/${projectId}/assets/negotiate`;
    return await this.json({
      action: "compare files",
      method: "POST",
      path,
      json: gitSha1s,
      idempotent: true,
    });
  }

  async uploadAsset(
    projectId: string,
    asset: { path: string; gitSha1: string },
    body: Call["body"],
  ): Promise<void> {
    const path = `/v1/projects/${projectId}/assets/${asset.gitSha1}`;
    await this.done({ action: `upload "${asset.path}"`, method: "PUT", path, body });
  }

  /** The lines so far, and on until the build has ended. */
  async buildLogs(id: string): Promise<AsyncGenerator<BuildLog, void, void>> {
    return await this.stream({ action: "read build log", path: deploymentPath(id, "build_logs") });
  }

  /** All domains, or those whose name contains `q`. */
  async domains(q?: string): Promise<ApiDomain[]> {
    const { id } = await this.organization();
    const query = { q, sort: "domain" };
    return await this.pages({ action: "list domains", path: `/v1/organizations/${id}/domains`, query });
  }

  /** @param domain `host` or `*.host`. */
  async registerDomain(domain: string): Promise<ApiDomain> {
    const { id } = await this.organization();
    return await this.json({
      action: `register domain "${domain}"`,
      method: "POST",
      path: `/v1/organizations/${id}/domains`,
      json: { domain },
    });
  }

  async domain(id: string): Promise<ApiDomain> {
    return await this.json({ action: "read domain", path: `/v1/domains/${id}` });
  }

  /** Fails with the API's `domainNotVerified` while something is missing. */
  async verifyDomain({ id, domain }: ApiDomain): Promise<void> {
    const path = `/v1/domains/${id}/verify`;
    await this.done({ action: `verify domain "${domain}"`, method: "POST", path, idempotent: true });
  }

  async associateDomain({ id, domain }: ApiDomain, target: DomainTarget): Promise<void> {
    const action = "deploymentId" in target && target.deploymentId === null ? "detach" : "attach";
    const path = `/v1/domains/${id}`;
    await this.done({ action: `${action} domain "${domain}"`, method: "PATCH", path, json: target });
  }

  async uploadCertificate(
    { id, domain }: ApiDomain,
    pem: { certificateChain: string; privateKey: string },
  ): Promise<void> {
    const path = `/v1/domains/${id}/certificates`;
    await this.done({ action: `upload certificate of "${domain}"`, method: "POST", path, json: pem });
  }

  /** Waits for the certificate; after a minute it is still `pending`. */
  async provisionCertificate({ id, domain }: ApiDomain): Promise<void> {
    const path = `/v1/domains/${id}/certificates/provision`;
    await this.done({ action: `get certificate of "${domain}"`, method: "POST", path });
  }

  async deleteDomain({ id, domain }: ApiDomain): Promise<void> {
    await this.done({ action: `remove domain "${domain}"`, method: "DELETE", path: `/v1/domains/${id}` });
  }

  async isolates(): Promise<IsolateInfo[]> {
    return await this.json({ action: "list isolates", path: "/v1/isolates" });
  }

  /** Needs no token. Answered also by a server that is not ready. */
  async health(): Promise<ApiHealth> {
    const call: Call = { action: "read health", path: "/healthz" };
    try {
      return await (await this.#attempt(call)).json();
    } catch (error) {
      throw this.#failure(call, error);
    }
  }

  /** Closes its connections. */
  [Symbol.dispose](): void {
    this.#http?.close();
  }

  /** All items of a list, page by page. */
  async pages<T>(call: Call): Promise<T[]> {
    const items: T[] = [];
    for (let page = 1; page <= MAX_PAGES; page++) {
      const found = await this.json<T[]>({ ...call, query: { ...call.query, page, limit: PAGE_SIZE } });
      items.push(...found);
      if (found.length < PAGE_SIZE) break;
    }
    return items;
  }

  /** One JSON object a line, as they come; returns once the server has begun to answer. */
  async stream<T>(call: Call): Promise<AsyncGenerator<T, void, void>> {
    const { body } = await this.#send({ ...call, ndjson: true });
    return this.#lines(call, readNdjson<T>(body!, this.#signalOf(call)));
  }

  async *#lines<T>(call: Call, lines: AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
    try {
      yield* lines;
    } catch (error) {
      throw this.#failure(call, error);
    }
  }

  /** A call that is answered with JSON. */
  async json<T>(call: Call): Promise<T> {
    return await (await this.#send(call)).json();
  }

  /** A call whose answer says nothing. */
  async done(call: Call): Promise<void> {
    await (await this.#send(call)).body?.cancel();
  }

  /** Repeats an idempotent call that was refused, broken off, or answered with 5xx. */
  async #send(call: Call): Promise<Response> {
    const idempotent = call.idempotent ?? call.method !== "POST";
    for (let attempt = 1;; attempt++) {
      const outcome = await this.#attempt(call).catch((error: unknown) => this.#failure(call, error));
      if (outcome instanceof Response && outcome.ok) return outcome;
      const isPassing = outcome instanceof Response ? outcome.status >= 500 : outcome.code === "unreachable";
      const failure = outcome instanceof Response ? await refusal(call, outcome) : outcome;
      if (!idempotent || !isPassing || attempt === MAX_ATTEMPTS) throw failure;
      await delay(this.#retryDelayMs * 2 ** (attempt - 1), undefined, { signal: this.#signal })
        .catch((error: unknown) => Promise.reject(this.#failure(call, error)));
    }
  }

  async #attempt(call: Call): Promise<Response> {
    const { method = "GET", path, query = {}, json, body, ndjson } = call;
    const url = new URL(path, this.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = new Headers({ accept: ndjson ? "application/x-ndjson" : "application/json" });
    if (this.#token) headers.set("authorization", `Bearer ${this.#token}`);
    if (json !== undefined) headers.set("content-type", "application/json");
    return await fetch(url, {
      method,
      headers,
      body: json === undefined ? await body?.() : JSON.stringify(json),
      signal: this.#signalOf(call),
      ...(this.#http ? { client: this.#http } : {}),
    });
  }

  #signalOf({ signal }: Call): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#signal]) : this.#signal;
  }

  #failure(call: Call, cause: unknown): CliError {
    if (cause instanceof CliError) return cause;
    const { action } = call;
    if (this.#signalOf(call).aborted) return new CliError("interrupted", "Interrupted", { cause });
    if (!(cause instanceof TypeError)) {
      return new CliError("failed", `Cannot ${action}: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
    return new CliError(
      "unreachable",
      `Cannot reach server "${this.url}" to ${action}: ${
        rootMessage(cause)
      }. Is it started (isola serve)? Name ` +
        "another with --url or ISOLA_URL",
      {
        cause,
      },
    );
  }
}

/** `undefined` = of another machine; a proxy of the environment may be the way there. */
function loopbackClient(url: URL): Deno.HttpClient | undefined {
  if (url.protocol !== "http:" || !isLoopback(url.hostname)) return undefined;
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  return directClient({ hostname, port: Number(url.port || 80) });
}

/** Where the API has a deployment, or what is `below` it. */
export function deploymentPath(id: string, below?: string): string {
  return `/v1/deployments/${encodeURIComponent(id)}${below ? `/${below}` : ""}`;
}

async function refusal({ action }: Call, response: Response): Promise<CliError> {
  const body = await response.text().catch(() => "");
  const { code: apiCode, message = `the server answered ${response.status}` } = errorBody(body);
  if (response.status !== 401) {
    const text = message.startsWith("Cannot ") ? message : `Cannot ${action}: ${message}`;
    return new CliError(response.status === 403 ? "unauthorized" : "failed", text, { apiCode });
  }
  return new CliError(
    "unauthorized",
    `Cannot ${action}: ${message}. Give an access token with --token, ISOLA_TOKEN or "isola login"`,
  );
}

/** `ErrorBody` of the reference document, if that is what it is. */
function errorBody(text: string): { code?: string; message?: string } {
  try {
    const { code, message } = JSON.parse(text);
    return {
      ...(typeof code === "string" ? { code } : {}),
      ...(typeof message === "string" ? { message } : {}),
    };
  } catch {
    return {};
  }
}

/** What it came from. `fetch` has all of that in one line, the request first and the operating system's word last. */
function rootMessage(error: Error): string {
  if (error.cause instanceof Error) return rootMessage(error.cause);
  return error.message.replace(/^error sending request .*?\(Connect\): /, "");
}
