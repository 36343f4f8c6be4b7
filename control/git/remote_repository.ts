import { Buffer } from "node:buffer";
import type { GitCredential } from "../store/mod.ts";
import { Turn } from "../scheduling/turn.ts";
import { isBranchName } from "./branch_name.ts";
import type { ConfinedGit } from "./confined_git.ts";
import { GitError } from "./git_process.ts";
import type { WayOut } from "./way_out.ts";

/** What {@linkcode RemoteRepository} works with. */
export interface RemoteRepositoryOptions {
  git: ConfinedGit;
  wayOut: WayOut;
  url: string;
  credential: GitCredential | null;
  /** A bare repository of one's own, to which commits are fetched. */
  gitDir: string;
  signal: AbortSignal;
}

/** The branches of a repository. */
export interface RemoteHeads {
  /** The one that HEAD names; `null` = HEAD is no branch, or there is no commit yet. */
  defaultBranch: string | null;
  /** Hashes of their newest commits, by name. */
  heads: Map<string, string>;
}

/** Further branches are not followed. */
export const MAX_BRANCHES = 1000;
const MAX_LIST_BYTES = 8 * 1024 * 1024;
const LIST_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 5 * 60_000;
const HEADS = "refs/heads/";
const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** A repository elsewhere, read over HTTP. */
export class RemoteRepository {
  readonly #options: RemoteRepositoryOptions;

  constructor(options: RemoteRepositoryOptions) {
    this.#options = options;
  }

  /** @throws {GitError} that says what to do */
  async heads(): Promise<RemoteHeads> {
    const text = await this.#run(
      ["ls-remote", "--symref", this.#options.url, "HEAD", `${HEADS}*`],
      LIST_TIMEOUT_MS,
    );
    const heads = new Map<string, string>();
    let defaultBranch: string | null = null;
    const turn = new Turn();
    for (const line of text.split("\n")) {
      const [value = "", name = ""] = line.split("\t");
      if (name === "HEAD" && value.startsWith(`ref: ${HEADS}`)) {
        defaultBranch = value.slice(`ref: ${HEADS}`.length);
      } else if (name.startsWith(HEADS) && HASH.test(value)) {
        const branch = name.slice(HEADS.length);
        if (isBranchName(branch)) heads.set(branch, value); // `git ls-remote` believes whatever a server says.
      }
      if (turn.isOver()) await turn.next();
    }
    return { defaultBranch, heads };
  }

  /**
   * Fetches the newest commit of a branch, without those before it.
   *
   * @returns its hash
   * @throws {GitError} that says what to do
   */
  async fetch(branch: string): Promise<string> {
    const { git, gitDir, url, signal } = this.#options;
    const ref = "refs/isola/fetched";
    await this.#run(
      [
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--no-write-fetch-head",
        url,
        `+${HEADS}${branch}:${ref}`,
      ],
      FETCH_TIMEOUT_MS,
    );
    const args = ["rev-parse", "--verify", "--end-of-options", `${ref}^{commit}`];
    return (await git.output({ args, gitDir, timeoutMs: LIST_TIMEOUT_MS, signal }, MAX_LIST_BYTES)).trim();
  }

  async #run(args: string[], timeoutMs: number): Promise<string> {
    const { git, wayOut, url, credential, gitDir, signal } = this.#options;
    const config: Record<string, string> = {};
    if (credential !== null) {
      const basic = Buffer.from(`${credential.username}:${credential.token}`).toString("base64");
      config[`http.${new URL(url).origin}/.extraHeader`] = `Authorization: Basic ${basic}`;
    }
    try {
      return await wayOut.to(
        url,
        (egressSocket) =>
          git.output(
            { args, gitDir, config, egressSocket, writable: true, timeoutMs, signal },
            MAX_LIST_BYTES,
          ),
      );
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      const problem = explain(error, credential !== null);
      throw new GitError(`Cannot read "${url}": ${problem}`, error.stderr, error.isBound);
    }
  }
}

/** The reply codes of SOCKS5 (RFC 1928 §6) that the egress proxy gives, as libcurl writes them. */
const SOCKS_REPLIES: Readonly<Record<string, string>> = {
  "2": "its address is not public: the operator can allow it with egress.allowPrivate",
  "4": "its host has no address",
  "5": "its host refuses the connection",
  "6": "its host does not answer",
};

function explain({ message, stderr }: GitError, hasCredential: boolean): string {
  const reply = /SOCKS5 connection to .* \((\d+)\)/.exec(stderr)?.[1];
  if (reply !== undefined) return SOCKS_REPLIES[reply] ?? "its host cannot be reached";
  if (/Authentication failed|could not read (?:Username|Password)|error: 40[13]/i.test(stderr)) {
    return hasCredential ? "it refuses the credential" : "it needs a credential";
  }
  if (/not found|error: 404/i.test(stderr)) {
    return `there is no such repository${
      hasCredential ? ", or the credential may not read it" : ", or it needs a credential"
    }`;
  }
  if (/failed to execute git|Failed to spawn 'git'/.test(stderr)) {
    return "git is not installed on this server";
  }
  if (/certificate/i.test(stderr)) return "the certificate of its host is not trusted";
  return message;
}
