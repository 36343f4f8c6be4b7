import type { AppLog, BuildLog } from "../model.ts";
import type { ApiDeployment, ApiProject } from "../cli/api_shapes.ts";
import { CliError } from "../cli/cli_error.ts";
import type { ApiClient } from "../cli/client.ts";
import { deploymentUrls, deploySnapshot, followBuild } from "../cli/deploy_snapshot.ts";
import { appLogLine, buildLogLine, levelColor } from "../cli/log_lines.ts";
import { LogTail } from "../cli/logs/log_tail.ts";
import { formatElapsed } from "../cli/quantity.ts";
import { BlobHasher } from "../cli/snapshot/git_blob.ts";
import { type Snapshot, takeSnapshot } from "../cli/snapshot/take_snapshot.ts";
import type { Terminal } from "../cli/terminal.ts";
import { FolderChanges } from "./folder_changes.ts";
import { projectName } from "./project_name.ts";

/** How {@linkcode watchAndDeploy} deploys. */
export interface WatchOptions {
  client: ApiClient;
  terminal: Terminal;
  /** Ends the watching. */
  signal: AbortSignal;
  /** Relative to the folder, instead of the one to be found. */
  entrypoint: string | undefined;
  /** The variables of the next deployment. */
  readVariables(): Record<string, string>;
}

/** The one being served, one to go back to, and one whose last requests are being finished. */
const KEPT_DEPLOYMENTS = 3;
/** Lines of a new deployment's log that were written before it was followed. */
const PAST_LOG_LINES = 100;

/** Deploys a folder (without links in its path) as a project of its name, again at each save, and shows its log; returns when `signal` is aborted. */
export async function watchAndDeploy(folder: string, options: WatchOptions): Promise<void> {
  const { client, terminal, signal } = options;
  const name = projectName(folder);
  const project = await client.findProject(name) ?? await client.createProject(name);
  await using changes = new FolderChanges(folder);
  signal.addEventListener("abort", () => changes.close(), { once: true });
  await using session = new Session(folder, project, options);
  terminal.note(`Deploying ${folder} as project "${name}"; control API on ${client.url}`, "bold");
  await session.deploy(performance.now());
  for (let savedAt = await changes.next(); savedAt !== undefined; savedAt = await changes.next()) {
    await session.deploy(savedAt);
  }
}

/** What was deployed last, and its log. One deployment at a time. */
class Session implements AsyncDisposable {
  readonly #root: string;
  readonly #project: ApiProject;
  readonly #options: WatchOptions;
  readonly #hasher = new BlobHasher();
  #lastFingerprint = "";
  #url: string | undefined;
  #log: { stop: AbortController; ended: Promise<void> } | undefined;

  constructor(root: string, project: ApiProject, options: WatchOptions) {
    this.#root = root;
    this.#project = project;
    this.#options = options;
  }

  /** Deploys the folder unless it is as it was. What goes wrong is shown; the version before goes on serving. */
  async deploy(savedAt: number): Promise<void> {
    const { terminal, signal } = this.#options;
    try {
      const deployment = await this.#deployChanged();
      if (!deployment) return;
      const began = this.#url === undefined ? "Started" : "Saved";
      const elapsed = formatElapsed(performance.now() - savedAt);
      terminal.note(`${began} → live in ${elapsed} (${deployment.id})`, "green");
      this.#announce(deployment);
      await this.#followLog(deployment.id);
      await this.#deleteOld();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CliError || error instanceof Deno.errors.NotFound)) throw error;
      terminal.note(`error: ${error.message}`, "red");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#log?.stop.abort();
    await this.#log?.ended;
  }

  async #deployChanged(): Promise<ApiDeployment | undefined> {
    const { client, terminal, signal, entrypoint, readVariables } = this.#options;
    const env = readVariables();
    const snapshot = await takeSnapshot(this.#root, { entrypoint, hasher: this.#hasher, signal });
    const fingerprint = fingerprintOf(snapshot, env);
    if (fingerprint === this.#lastFingerprint) return undefined;
    if (this.#lastFingerprint === "") {
      for (const { path, reason } of snapshot.leftOut) terminal.note(`Left out ${path}: ${reason}`, "yellow");
    }
    this.#lastFingerprint = fingerprint;
    const created = await deploySnapshot(snapshot, { client, project: this.#project, env, production: true });
    const log: BuildLog[] = [];
    const deployment = await followBuild(created.id, { client, signal, onLog: (line) => log.push(line) });
    const isFailed = deployment.status === "failed";
    for (const line of log) {
      const matters = isFailed || line.level === "warning" || line.level === "error";
      if (matters) terminal.note(buildLogLine(line), levelColor(line.level));
    }
    if (isFailed) throw new CliError("failed", "The build failed; the version before goes on serving");
    return deployment;
  }

  #announce(deployment: ApiDeployment): void {
    const [url] = deploymentUrls(deployment, this.#project);
    if (url === undefined || url === this.#url) return;
    this.#url = url;
    this.#options.terminal.print(url, "cyan");
  }

  async #followLog(id: string): Promise<void> {
    await this[Symbol.asyncDispose]();
    const stop = new AbortController();
    const follow = AbortSignal.any([stop.signal, this.#options.signal]);
    this.#log = { stop, ended: this.#showLog(id, follow) };
  }

  async #showLog(id: string, follow: AbortSignal): Promise<void> {
    const { client, terminal } = this.#options;
    try {
      const source = { path: `/v1/deployments/${id}/app_logs`, query: {} };
      const tail = new LogTail<AppLog>({ client, source });
      for await (const line of tail.follow({ newest: PAST_LOG_LINES }, follow)) {
        terminal.print(appLogLine(line), levelColor(line.level));
      }
    } catch (error) {
      if (!follow.aborted) terminal.note(`error: ${(error as Error).message}`, "red");
    }
  }

  async #deleteOld(): Promise<void> {
    const { client } = this.#options;
    const newestFirst = await client.deployments(this.#project.id);
    for (const { id, production } of newestFirst.slice(KEPT_DEPLOYMENTS)) {
      if (!production) await client.deleteDeployment(id);
    }
  }
}

function fingerprintOf({ entrypoint, files, links }: Snapshot, env: Record<string, string>): string {
  return JSON.stringify([entrypoint, files.map(({ path, gitSha1 }) => [path, gitSha1]), [...links], env]);
}
