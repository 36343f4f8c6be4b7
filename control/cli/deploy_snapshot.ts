import { setTimeout as delay } from "node:timers/promises";
import type { BuildLog } from "../model.ts";
import type { ApiDeployment, ApiProject } from "./api_shapes.ts";
import { CliError } from "./cli_error.ts";
import type { ApiClient } from "./client.ts";
import { buildLogLine, levelColor } from "./log_lines.ts";
import type { Snapshot } from "./snapshot/take_snapshot.ts";
import type { Terminal } from "./terminal.ts";
import { uploadMissing } from "./upload_missing.ts";

/** How {@linkcode deploySnapshot} deploys. */
export interface DeployOptions {
  client: ApiClient;
  project: ApiProject;
  /** Variables of the deployment. */
  env: Record<string, string>;
  /** Whether it is to be the production; `null` = only if the project has none yet. */
  production: boolean | null;
  /** Where the upload is shown. */
  terminal?: Terminal;
}

const BUILD_POLL_MS = 250;
/** With the pause between them more than the 120 s that a build may take, and the queue before it. */
const MAX_BUILD_POLLS = 2400;

/** Uploads what the server lacks of a snapshot and creates the deployment, which is then being built. */
export async function deploySnapshot(snapshot: Snapshot, options: DeployOptions): Promise<ApiDeployment> {
  await uploadMissing(snapshot, options);
  const assets = [
    ...snapshot.files.map(({ path, gitSha1 }) => [path, { kind: "file" as const, gitSha1 }] as const),
    ...[...snapshot.links].map(([path, target]) => [path, { kind: "symlink" as const, target }] as const),
  ];
  return await options.client.createDeployment(options.project.id, {
    entryPointUrl: snapshot.entrypoint,
    assets: Object.fromEntries(assets),
    envVars: options.env,
    ...(options.production === null ? {} : { production: options.production }),
  });
}

/** Hands on the build log of a deployment until the build has ended; returns the deployment, `success` or `failed`. */
export async function followBuild(
  id: string,
  { client, onLog, signal }: { client: ApiClient; onLog(line: BuildLog): void; signal: AbortSignal },
): Promise<ApiDeployment> {
  let seen = 0;
  for (let poll = 0; poll < MAX_BUILD_POLLS; poll++) {
    seen = await readBuildLog(id, seen, client, onLog);
    const deployment = await client.deployment(id);
    if (deployment.status !== "pending") return deployment;
    await delay(BUILD_POLL_MS, undefined, { signal });
  }
  throw new CliError("failed", `Cannot wait any longer for deployment "${id}": it is still being built`);
}

/** As {@linkcode followBuild}, and shows the log. */
export async function showBuild(
  id: string,
  { client, terminal, signal }: { client: ApiClient; terminal: Terminal; signal: AbortSignal },
): Promise<ApiDeployment> {
  const onLog = (line: BuildLog) => terminal.note(buildLogLine(line), levelColor(line.level));
  return await followBuild(id, { client, signal, onLog });
}

/** Hands on the lines past the first `seen`; returns how many there are. A server that restarts ends the stream. */
async function readBuildLog(
  id: string,
  seen: number,
  client: ApiClient,
  onLog: (line: BuildLog) => void,
): Promise<number> {
  let line = 0;
  try {
    for await (const entry of await client.buildLogs(id)) {
      if (++line > seen) onLog(entry);
    }
  } catch (error) {
    if (!(error instanceof CliError && error.code === "unreachable")) throw error;
  }
  return Math.max(line, seen);
}

/** Addresses of a deployment, its project's own first if it is production. */
export function deploymentUrls({ urls }: ApiDeployment, project: ApiProject): string[] {
  const isProjects = (url: string) => new URL(url).hostname.startsWith(`${project.name}.`);
  return urls.toSorted((a, b) => Number(isProjects(b)) - Number(isProjects(a)));
}
