import { until } from "./child.ts";

/** Of the servers that benchmarks start. */
export const TOKEN = "isola-bench";

/** Text files by path. */
export type AppFiles = Readonly<Record<string, string>>;

/** What is not the server's default. */
export interface AppLimits {
  memoryMb?: number;
}

/** What a benchmark asks of a server's control API. */
export class IsolaClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Throws while the server is not ready. */
  async health(): Promise<void> {
    await this.#call("GET", "/healthz");
  }

  /** What `/metrics` says now. */
  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/metrics`)).text();
  }

  /** Which sandbox the server found. */
  async level(): Promise<string> {
    return /level="(\w+)"/.exec(await this.metrics())?.[1] ?? "unknown";
  }

  /** Resolves with the project's id. */
  async createProject(name: string): Promise<string> {
    const [organization] = await this.#call<[{ id: string }]>("GET", "/v1/organizations");
    const path = `/v1/organizations/${organization.id}/projects`;
    return (await this.#call<{ id: string }>("POST", path, { name })).id;
  }

  /** Deploys files, of which "main.ts" is the entry point, and resolves with the deployment's id once it is built. */
  async deploy(projectId: string, files: AppFiles, limits: AppLimits = {}): Promise<string> {
    const assets = Object.entries(files).map(([path, content]) => [
      path,
      { kind: "file", content, encoding: "utf-8" },
    ]);
    const { id } = await this.#call<{ id: string }>("POST", `/v1/projects/${projectId}/deployments`, {
      entryPointUrl: "main.ts",
      assets: Object.fromEntries(assets),
      envVars: {},
      limits,
    });
    const status = await until(`deployment "${id}"`, async () => {
      const { status } = await this.#call<{ status: string }>("GET", `/v1/deployments/${id}`);
      if (status === "pending") throw new Error(`Deployment "${id}" is pending`);
      return status;
    });
    if (status !== "success") throw new Error(`Cannot deploy "${id}": it is ${status}`);
    return id;
  }

  /** Deletes a deployment and resolves once it has no isolate. */
  async remove(deploymentId: string): Promise<void> {
    await this.#call("DELETE", `/v1/deployments/${deploymentId}`);
    await until(`the end of deployment "${deploymentId}"`, async () => {
      const isolates = await this.#call<{ deploymentId: string }[]>("GET", "/v1/isolates");
      if (isolates.some((isolate) => isolate.deploymentId === deploymentId)) {
        throw new Error("It has an isolate");
      }
    });
  }

  /** Makes a hostname a deployment's; resolves once the server says so. */
  async attachDomain(deploymentId: string, hostname: string): Promise<void> {
    await this.#call("PUT", `/v1/deployments/${deploymentId}/domains/${hostname}`);
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot ${method} "${path}": ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
}
