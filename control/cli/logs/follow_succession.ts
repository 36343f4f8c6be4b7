import { setTimeout as delay } from "node:timers/promises";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { unlessRefused } from "../unless_refused.ts";
import { appLogPath, currentDeployment, type NamedSource } from "./log_sources.ts";
import { isPassing, LogTail } from "./log_tail.ts";

/** How long another production may go unnoticed. */
const LOOK_INTERVAL_MS = 2000;

/** A log that is followed. */
export interface Followed<Line> {
  source: NamedSource;
  /** What is written, until `signal` aborts. */
  lines(signal: AbortSignal): AsyncIterable<Line>;
}

/** What {@linkcode followSuccession} works with. */
export interface SuccessionOptions<Line> {
  client: ApiClient;
  signal: AbortSignal;
  print(source: NamedSource, line: Line): void;
  /** Called when another deployment is the production of the source's project. */
  succeeded(source: NamedSource): void;
  /** As {@linkcode LogTail} has it. */
  lost(): void;
}

/**
 * Shows what is written; where it is the log of a project and another deployment becomes its production, that one's from then
 * on as well. What was the production before is listened to until the one after the next: it has requests to finish.
 *
 * @param retire Called when there is a successor.
 */
export async function followSuccession<Line extends { time: string }>(
  { source, lines }: Followed<Line>,
  options: SuccessionOptions<Line>,
  retire?: () => void,
): Promise<void> {
  const { client, signal, print, succeeded, lost } = options;
  const retired = new AbortController();
  const show = async () => {
    for await (const line of lines(AbortSignal.any([signal, retired.signal]))) print(source, line);
  };
  const goOn = async () => {
    const next = await laterProduction(client, source, signal);
    if (next === null) return;
    retire?.();
    succeeded(next.source);
    const tail = new LogTail<Line>({ client, source: next.source, lost });
    const followed = {
      source: next.source,
      lines: (over: AbortSignal) => tail.follow({ since: next.since }, over),
    };
    await followSuccession(followed, options, () => retired.abort());
  };
  await Promise.all([show(), goOn()]);
}

/**
 * What becomes the production of a source's project after it, and from when on; `null` if there is no project, or once `signal`
 * aborts.
 */
async function laterProduction(
  client: ApiClient,
  source: NamedSource,
  signal: AbortSignal,
): Promise<{ source: NamedSource; since: string } | null> {
  const { project, deploymentId } = source;
  while (project !== undefined && deploymentId !== null) {
    try {
      await delay(LOOK_INTERVAL_MS, undefined, { signal });
      if (await isProduction(client, deploymentId)) continue;
      const { id, production, promotedAt } = await currentDeployment(client, project);
      if (id === deploymentId || !production || promotedAt === null) continue;
      return { source: { ...source, deploymentId: id, path: appLogPath(id) }, since: promotedAt };
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof CliError)) throw error;
      // Anything else, such as a project that is gone, ends what is shown as well.
      if (!isPassing(error)) break;
    }
  }
  return null;
}

async function isProduction(client: ApiClient, deploymentId: string): Promise<boolean> {
  const call = client.deployment(deploymentId);
  return (await unlessRefused(call, { code: "deploymentNotFound", instead: null }))?.production ?? false;
}
