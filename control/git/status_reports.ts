import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "../store/mod.ts";
import { type CommitStatus, commitStatusRequest } from "./commit_status.ts";
import type { ConfinedGit, ConfinedRequest } from "./confined_git.ts";
import type { WayOut } from "./way_out.ts";

/** What {@linkcode StatusReports} works with. */
export interface StatusReportsOptions {
  git: ConfinedGit;
  wayOut: WayOut;
  /** An empty directory. */
  emptyDir: string;
  store: Pick<Store, "gitLinks">;
  /** Before the first repetition, and ten times as long before the second. @default {2000} */
  retryDelayMs?: number;
}

/** Reports of one project that wait; the oldest gives way. */
const MAX_WAITING = 100;
/** Projects whose providers are told at once: slow ones are not to keep others waiting. */
const MAX_AT_ONCE = 4;
const MAX_ATTEMPTS = 3;
const TIMEOUT_MS = 20_000;
/** What a client makes of the egress proxy's refusal (RFC 1928 §6). */
const NOT_ALLOWED = /not allowed by ruleset/;

/** Tells providers how it stands with commits: for each project one after the other, and nothing waits for it. */
export class StatusReports implements AsyncDisposable {
  readonly #options: StatusReportsOptions;
  /** By project, the one that was told last at the end. */
  readonly #waiting = new Map<string, CommitStatus[]>();
  /** By project. */
  readonly #working = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: StatusReportsOptions) {
    this.#options = options;
  }

  /** Sends a status, if the project's repository takes any. What goes wrong is kept with its link. */
  report(projectId: string, status: CommitStatus): void {
    if (this.#closing.signal.aborted) return;
    const waiting = this.#waiting.get(projectId) ?? [];
    this.#waiting.set(projectId, waiting);
    if (waiting.length >= MAX_WAITING) waiting.shift();
    waiting.push(status);
    this.#advance();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.clear();
    this.#closing.abort();
    await Promise.all(this.#working.values());
  }

  /** One report of each project in turn. */
  #advance(): void {
    for (const [projectId, [next, ...others]] of this.#waiting) {
      if (this.#working.size >= MAX_AT_ONCE) return;
      if (this.#working.has(projectId)) continue;
      this.#waiting.delete(projectId);
      if (others.length > 0) this.#waiting.set(projectId, others);
      const work = this.#tell(projectId, next!)
        .catch((error) => console.error("Cannot report the status of a commit:", error))
        .finally(() => {
          this.#working.delete(projectId);
          this.#advance();
        });
      this.#working.set(projectId, work);
    }
  }

  async #tell(projectId: string, status: CommitStatus): Promise<void> {
    const { gitLinks } = this.#options.store;
    const link = gitLinks.get(projectId);
    const credential = gitLinks.credential(projectId);
    const request = link && credential && commitStatusRequest(link, credential.token, status);
    if (!request) return;
    const problem = await this.#send(request);
    if (this.#closing.signal.aborted) return;
    gitLinks.reported(
      projectId,
      problem && `Cannot set the status of commit ${status.sha.slice(0, 12)}: ${problem}`,
    );
  }

  /** Why it was not taken, or `null`. */
  async #send(request: ConfinedRequest): Promise<string | null> {
    const { retryDelayMs = 2000 } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 1;; attempt++) {
      const { problem, isPassing } = await this.#attempt(request);
      if (problem === null || !isPassing || attempt === MAX_ATTEMPTS || signal.aborted) return problem;
      await delay(retryDelayMs * 10 ** (attempt - 1), undefined, { signal }).catch(() => {});
    }
  }

  async #attempt(request: ConfinedRequest): Promise<{ problem: string | null; isPassing: boolean }> {
    const { git, wayOut, emptyDir } = this.#options;
    const { signal } = this.#closing;
    const run = { gitDir: emptyDir, timeoutMs: TIMEOUT_MS, signal };
    const { host } = new URL(request.url);
    try {
      const { status, body } = await wayOut.to(
        request.url,
        (egressSocket) => git.request(request, { ...run, egressSocket }),
      );
      if (status >= 200 && status < 300) return { problem: null, isPassing: false };
      const problem = `"${host}" answered ${status}${saidIn(body)}`;
      return { problem, isPassing: status >= 500 || status === 429 };
    } catch (error) {
      const { message } = error as Error;
      return NOT_ALLOWED.test(message)
        ? {
          problem: `"${host}" is not public: the operator can allow it with egress.allowPrivate`,
          isPassing: false,
        }
        : { problem: `"${host}" cannot be reached (${message})`, isPassing: true };
    }
  }
}

/** The message of a JSON error, as all providers have it. */
function saidIn(body: string): string {
  try {
    const { message } = JSON.parse(body);
    return typeof message === "string" ? `: ${message.slice(0, 200)}` : "";
  } catch {
    return "";
  }
}
