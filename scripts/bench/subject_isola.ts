import { freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "./first_byte.ts";
import type { Subject } from "./subject.ts";

const MAIN = new URL("../../mod.ts", import.meta.url).pathname;
const APP = new URL("./hello_app.ts", import.meta.url);
const TOKEN = "isola-bench";
const PROJECT = "bench";

/** Isola, with the app as the production deployment of a project. */
export interface IsolaSubject extends Subject {
  /** Deploys the app once more and resolves with the hostname of a deployment that served no request yet. */
  deploy(): Promise<string>;
  /** The same with another program; it is deleted, and its isolate ended, by disposal. */
  deployProgram(source: string): Promise<DeployedProgram>;
  /** What `/metrics` of the control address says now. */
  metrics(): Promise<string>;
}

/** A program on an {@linkcode IsolaSubject}. */
export interface DeployedProgram extends AsyncDisposable {
  host: string;
}

/** One server with its defaults: one runner, a process for each isolate. */
export async function startIsola(): Promise<IsolaSubject> {
  await using started = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  started.defer(() => Deno.remove(dataDir, { recursive: true }));
  const port = freePort();
  const api = `http://127.0.0.1:${freePort()}`;
  const child = started.use(startChild(Deno.execPath(), ["run", "-A", MAIN, "serve"], {
    ISOLA_DATA_DIR: dataDir,
    ISOLA_HTTP_ADDR: `127.0.0.1:${port}`,
    ISOLA_CONTROL_ADDR: new URL(api).host,
    ISOLA_ADMIN_TOKEN: TOKEN,
  }));
  await until("Isola", () => call(api, "GET", "/healthz"));
  const projectId = await createProject(api);
  const content = await Deno.readTextFile(APP);
  await deploy(api, projectId, content);
  const host = `${PROJECT}.localhost`;
  await until("the first deployment", () => firstByteMs(port, host));
  const owned = started.move();
  return {
    name: "Isola",
    port,
    host,
    pids: [child.pid],
    deploy: async () => hostOf(await deploy(api, projectId, content)),
    async deployProgram(source) {
      const id = await deploy(api, projectId, source);
      return { host: hostOf(id), [Symbol.asyncDispose]: () => remove(api, id) };
    },
    metrics: async () => (await fetch(`${api}/metrics`)).text(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function createProject(api: string): Promise<string> {
  const [organization] = await call<[{ id: string }]>(api, "GET", "/v1/organizations");
  const path = `/v1/organizations/${organization.id}/projects`;
  return (await call<{ id: string }>(api, "POST", path, { name: PROJECT })).id;
}

async function deploy(api: string, projectId: string, content: string): Promise<string> {
  const { id } = await call<{ id: string }>(api, "POST", `/v1/projects/${projectId}/deployments`, {
    entryPointUrl: "main.ts",
    assets: { "main.ts": { kind: "file", content, encoding: "utf-8" } },
    envVars: {},
  });
  const status = await until(`deployment "${id}"`, async () => {
    const { status } = await call<{ status: string }>(api, "GET", `/v1/deployments/${id}`);
    if (status === "pending") throw new Error(`Deployment "${id}" is pending`);
    return status;
  });
  if (status !== "success") throw new Error(`Cannot deploy "${id}": it is ${status}`);
  return id;
}

async function remove(api: string, id: string): Promise<void> {
  await call(api, "DELETE", `/v1/deployments/${id}`);
  await until(`the end of deployment "${id}"`, async () => {
    const isolates = await call<{ deploymentId: string }[]>(api, "GET", "/v1/isolates");
    if (isolates.some(({ deploymentId }) => deploymentId === id)) throw new Error("It has an isolate");
  });
}

function hostOf(deploymentId: string): string {
  return `${PROJECT}-${deploymentId}.localhost`;
}

async function call<T>(api: string, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(api + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot ${method} "${path}": ${response.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}
