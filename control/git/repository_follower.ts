import { join } from "node:path";
import { ApiError } from "../api/errors.ts";
import { endLeftCommands } from "../process/end_left_commands.ts";
import type { Project } from "../model.ts";
import { previewHostname } from "../routing/routes.ts";
import { StoreError } from "../store/mod.ts";
import type { CloseBranchDeps } from "./close_branch.ts";
import type { CommitStatus } from "./commit_status.ts";
import type { ConfinedGit } from "./confined_git.ts";
import { followBranches } from "./follow_branches.ts";
import { GitError } from "./git_process.ts";
import { RemoteRepository } from "./remote_repository.ts";
import { StatusReports } from "./status_reports.ts";
import { WayOut } from "./way_out.ts";

/** What {@linkcode RepositoryFollower} works with. */
export interface FollowerOptions extends Omit<CloseBranchDeps, "follower"> {
  git: ConfinedGit;
  /** For what is fetched; of nobody else. Absolute. */
  dir: string;
  /** For the sockets of its egress proxy; a short path. */
  socketsDir: string;
  allowPrivate: readonly string[];
  baseDomain: string;
  /** The URL of a hostname on the data plane. */
  publicUrl(hostname: string): string;
  /** Of {@linkcode StatusReports}. */
  retryDelayMs?: number;
}

/** Repositories that are looked at at once, and of those of one organization: slow ones are not to keep others waiting. */
const MAX_AT_ONCE = 4;
const MAX_OF_ORGANIZATION = 2;
/** Of one look. */
const LOOK_TIMEOUT_MS = 15 * 60_000;
const POLL_TICK_MS = 30_000;
/** How often a repository is looked at whose webhooks do not arrive. */
const POLL_INTERVAL_MS = 5 * 60_000;
/** So that those of many projects are not looked at at once. */
const POLL_JITTER_MS = 60_000;
/** Whose webhooks arrive: in case that one was lost. */
const DELIVERED_POLL_INTERVAL_MS = 60 * 60_000;
/** For so long after the last one. */
const DELIVERED_MS = 24 * 60 * 60_000;
const MAX_POLLED = 100;

/**
 * Follows the repositories of projects: looks at one when a webhook says so, now and then, or when somebody asks, and deploys
 * the branches that have changed. What a webhook says is never believed; it is only a reason to look.
 */
export class RepositoryFollower implements AsyncDisposable {
  readonly #options: FollowerOptions;
  readonly #wayOut: WayOut;
  readonly #reports: StatusReports;
  /** Projects whose repositories are to be looked at, and who waits for that. */
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  readonly #running = new Map<string, { organizationId: string; done: Promise<void> }>();
  readonly #closing = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #fetches = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#wayOut = new WayOut(options);
    this.#reports = new StatusReports({
      ...options,
      wayOut: this.#wayOut,
      emptyDir: join(options.dir, "empty"),
    });
    this.#timer = setInterval(() => {
      try {
        this.poll();
      } catch (error) {
        console.error("Cannot poll repositories:", error);
      }
    }, POLL_TICK_MS);
  }

  /** Looks at a project's repository soon. */
  wake(projectId: string): void {
    void this.#look(projectId);
  }

  /**
   * Looks at a project's repository, and again at what could not be deployed; resolves when that is done.
   *
   * @throws {GitError} It cannot be read.
   */
  async sync(projectId: string): Promise<void> {
    const { gitLinks } = this.#options.store;
    gitLinks.retryFailed(projectId);
    await this.#look(projectId);
    this.#closing.signal.throwIfAborted();
    const problem = gitLinks.get(projectId)?.syncError ?? null;
    if (problem !== null) throw new GitError(problem);
  }

  /** Looks at the repositories whose turn it is. */
  poll(): void {
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
    const due = this.#options.store.gitLinks.due({
      syncedBefore: ago(POLL_INTERVAL_MS + Math.random() * POLL_JITTER_MS),
      deliveredAfter: ago(DELIVERED_MS),
      deliveredSyncedBefore: ago(DELIVERED_POLL_INTERVAL_MS),
      limit: MAX_POLLED,
    });
    for (const projectId of due) this.wake(projectId);
  }

  /**
   * To be called when a build has ended: the commit's status says so.
   *
   * @param reason Why it has failed, if not by itself.
   */
  finished(deploymentId: string, reason = `The build of deployment ${deploymentId} failed`): void {
    const { store } = this.#options;
    if (!store.gitLinks.isFollowed(deploymentId)) return;
    const record = store.deployments.get(deploymentId);
    const project = record && store.projects.get(record.projectId);
    if (!record?.git || !project) return;
    const succeeded = record.status === "success";
    this.#report(project, {
      sha: record.git.sha,
      state: succeeded ? "success" : "failure",
      description: succeeded ? "Deployed" : reason,
    }, deploymentId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
    await Promise.all(this.#running.values().map(({ done }) => done));
    await this.#reports[Symbol.asyncDispose]();
    await this.#wayOut[Symbol.asyncDispose]();
  }

  /** Resolves after a look at the repository that begins now or later. Never rejects. */
  #look(projectId: string): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    const waiting = this.#waiting.get(projectId) ?? Promise.withResolvers<void>();
    this.#waiting.set(projectId, waiting);
    this.#advance();
    return waiting.promise;
  }

  /** One look at a time at a repository. */
  #advance(): void {
    for (const [projectId, { resolve }] of this.#waiting) {
      if (this.#running.size >= MAX_AT_ONCE) return;
      const organizationId = this.#options.store.projects.get(projectId)?.organizationId ?? "";
      if (this.#running.has(projectId) || this.#runningOf(organizationId) >= MAX_OF_ORGANIZATION) continue;
      this.#waiting.delete(projectId);
      const done = this.#lookNow(projectId)
        .finally(() => {
          this.#running.delete(projectId);
          resolve();
          this.#advance();
        })
        .catch((error) => console.error(`Cannot follow the repository of project "${projectId}":`, error));
      this.#running.set(projectId, { organizationId, done });
    }
  }

  #runningOf(organizationId: string): number {
    return [...this.#running.values()].filter((each) => each.organizationId === organizationId).length;
  }

  async #lookNow(projectId: string): Promise<void> {
    const { store, dir, git } = this.#options;
    const link = store.gitLinks.get(projectId);
    const project = store.projects.get(projectId);
    if (link === null || link.url === null || project === null) return;
    const gitDir = join(dir, String(++this.#fetches));
    try {
      await git.initialize(gitDir);
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]);
      const credential = store.gitLinks.credential(projectId);
      const remote = new RemoteRepository({
        git,
        wayOut: this.#wayOut,
        url: link.url,
        credential,
        gitDir,
        signal,
      });
      const hasMore = await followBranches({ ...this.#options, follower: this }, {
        project,
        link,
        remote,
        location: { git, gitDir, signal },
        report: (status, deploymentId) => this.#report(project, status, deploymentId),
      });
      store.gitLinks.synced(projectId, null);
      if (hasMore) this.wake(projectId);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const isExpected = [GitError, ApiError, StoreError].some((kind) => error instanceof kind) ||
        isTimeout(error);
      store.gitLinks.synced(
        projectId,
        isExpected ? (error as Error).message : "The server failed: its log says why",
      );
      if (!isExpected) throw error;
    } finally {
      await Deno.remove(gitDir, { recursive: true });
    }
  }

  #report(
    { id, name }: Project,
    status: Pick<CommitStatus, "sha" | "state" | "description">,
    deploymentId: string | null,
  ): void {
    const { baseDomain, publicUrl } = this.#options;
    const targetUrl = deploymentId && publicUrl(previewHostname(name, deploymentId, baseDomain));
    this.#reports.report(id, { ...status, targetUrl, context: `isola/${name}` });
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

/** Opens it, and ends and removes what an earlier server left of its work. */
export async function openFollower(options: FollowerOptions): Promise<RepositoryFollower> {
  await Deno.mkdir(options.dir, { recursive: true, mode: 0o700 });
  const dir = await Deno.realPath(options.dir);
  await endLeftCommands(dir);
  for await (const { name } of Deno.readDir(dir)) await Deno.remove(join(dir, name), { recursive: true });
  await Deno.mkdir(join(dir, "empty"), { mode: 0o755 });
  return new RepositoryFollower({ ...options, dir });
}
