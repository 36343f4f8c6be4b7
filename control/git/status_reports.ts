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

/** Reports that wait; the oldest gives way. */
const MAX_WAITING = 1000;
const MAX_ATTEMPTS = 3;
const TIMEOUT_MS = 20_000;
/** What a client makes of the egress proxy's refusal (RFC 1928 §6). */
const NOT_ALLOWED = /not allowed by ruleset/;

/** Tells providers how it stands with commits: one after the other, and nothing waits for it. */
export class StatusReports implements AsyncDisposable {
  readonly #options: StatusReportsOptions;
  readonly #waiting: { projectId: string; status: CommitStatus }[] = [];
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;

  constructor(options: StatusReportsOptions) {
    this.#options = options;
  }

  /** Sends a status, if the project's repository takes any. What goes wrong is kept with its link. */
  report(projectId: string, status: CommitStatus): void {
    if (this.#closing.signal.aborted) return;
    if (this.#waiting.length >= MAX_WAITING) this.#waiting.shift();
    this.#waiting.push({ projectId, status });
    this.#working ??= this.#work()
      .catch((error) => console.error("Cannot report the status of a commit:", error))
      .finally(() => this.#working = undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.length = 0;
    this.#closing.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { gitLinks } = this.#options.store;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { projectId, status } = next;
      const link = gitLinks.get(projectId);
      const credential = gitLinks.credential(projectId);
      const request = link && credential && commitStatusRequest(link, credential.token, status);
      if (!request) continue;
      const problem = await this.#send(request);
      if (this.#closing.signal.aborted) return;
      gitLinks.reported(
        projectId,
        problem && `Cannot set the status of commit ${status.sha.slice(0, 12)}: ${problem}`,
      );
    }
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
