import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { workingBwrap } from "../build/working_bwrap.ts";
import { gitEnvironment } from "./git_environment.ts";
import { unprivilegedUser } from "../process/unprivileged_user.ts";
import { GitError, GitProcess } from "./git_process.ts";

/** What {@linkcode ConfinedGit} runs. */
export interface GitRun {
  /** What follows `git`. Everybody on the machine can read it: no secret belongs here. */
  args: readonly string[];
  /** A bare repository; absolute. Nothing else of the machine's state is there for git. */
  gitDir: string;
  /** Whether it may change the repository. @default {false} */
  writable?: boolean;
  /** Further configuration, by key; the place for secrets. */
  config?: Readonly<Record<string, string>>;
  /** The unix socket of the egress proxy; without it git has no network. */
  egressSocket?: string;
  /** Read by git on its standard input. @default {nothing} */
  stdin?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;
  timeoutMs: number;
  signal?: AbortSignal;
}

/** One HTTP request, such as `fetch` takes it. */
export interface ConfinedRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: string;
}

/** The environment and the walls that all runs of git on this machine have. */
export interface ConfinedGitOptions {
  /** Whether bubblewrap is used where it works. @default {true} */
  sandboxed?: boolean;
  /** PEM of the authorities that the operator trusts beside the system's. Absolute. */
  caFile?: string | undefined;
  /** @default {GIT_BOUNDS} */
  bounds?: Partial<GitBounds>;
}

/** What one run may use. */
export interface GitBounds {
  /** Resident, of all its processes together. */
  memoryBytes: number;
  processes: number;
  /** The largest file that it may write: a pack. */
  fileBytes: number;
  /** Left on the disk. */
  freeDiskBytes: number;
  /** Of its processors' time. */
  cpuSeconds: number;
}

/** What production has. */
export const GIT_BOUNDS: Readonly<GitBounds> = {
  memoryBytes: 1024 ** 3,
  processes: 16,
  fileBytes: 1024 ** 3,
  freeDiskBytes: 256 * 1024 ** 2,
  cpuSeconds: 300,
};

/** Above the users that distributions and container engines give out, below those of sandboxes. */
const GIT_UID = 1_899_999_999;
const MAX_ANSWER_BYTES = 64 * 1024;
/** Programs, libraries, certificates: nothing of them is the server's own. */
const SYSTEM_PATHS = [
  ...["/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store"],
  ...["/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/alternatives"],
];
const ENTRY = fileURLToPath(import.meta.resolve("./git_with_egress.ts"));
/** The paths of what is bound into the walls. */
const INSIDE = {
  gitDir: "/repo",
  egressSocket: "/egress.sock",
  denoPath: "/deno",
  caFile: "/ca.pem",
  entry: "/git_with_egress.ts",
};

/**
 * Runs the system's git on repositories that are not trusted: it sees that repository, programs and libraries of the system,
 * and nothing else; it is a user of its own, without network but the egress proxy. Where namespaces are refused, only its
 * configuration and its bounds stand between.
 */
export class ConfinedGit {
  readonly #bwrapPath: string | undefined;
  readonly #uid: number | undefined;
  readonly #caFile: string | undefined;
  readonly #bounds: GitBounds;

  private constructor(
    bwrapPath: string | undefined,
    uid: number | undefined,
    { caFile, bounds }: ConfinedGitOptions,
  ) {
    this.#bwrapPath = bwrapPath;
    this.#uid = uid;
    this.#caFile = caFile;
    this.#bounds = { ...GIT_BOUNDS, ...bounds };
  }

  /** Looks at what this machine has. */
  static async open(options: ConfinedGitOptions = {}): Promise<ConfinedGit> {
    const bwrapPath = options.sandboxed === false ? undefined : await workingBwrap([
      ...(Deno.uid() === 0 ? [] : ["--unshare-user"]),
      ...["--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--", "true"],
    ]);
    return new ConfinedGit(bwrapPath, await ownUser(bwrapPath), options);
  }

  /** Makes a directory for git's own: an empty bare repository. */
  async initialize(gitDir: string): Promise<void> {
    await Deno.mkdir(gitDir, { recursive: true, mode: 0o700 });
    for (const folder of ["objects", "objects/info", "objects/pack", "refs", "refs/heads"]) {
      await Deno.mkdir(join(gitDir, folder), { recursive: true, mode: 0o700 });
    }
    await Deno.writeTextFile(join(gitDir, "HEAD"), "ref: refs/heads/main\n");
    await Deno.writeTextFile(
      join(gitDir, "config"),
      "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
    );
    await this.adopt(gitDir);
  }

  /** Gives a directory and all in it to git's user; nothing if it is git's, or no git has a user of its own. */
  async adopt(dir: string): Promise<void> {
    if (this.#uid === undefined || (await Deno.lstat(dir)).uid === this.#uid) return;
    for await (const entry of Deno.readDir(dir)) {
      const path = join(dir, entry.name);
      if (entry.isDirectory) await this.adopt(path);
      else if (entry.isFile) await Deno.chown(path, this.#uid, this.#uid);
    }
    // The last: one that is git's has nothing that is not.
    await Deno.chown(dir, this.#uid, this.#uid);
  }

  /** The path of a repository where git runs. */
  inside(gitDir: string): string {
    return this.#bwrapPath === undefined ? gitDir : INSIDE.gitDir;
  }

  /** Starts git, or what `git_with_egress.ts` has as `fetch`. */
  start(run: GitRun, program: "git" | "fetch" = "git"): GitProcess {
    const inside = this.#bwrapPath === undefined
      ? { ...run, denoPath: Deno.execPath(), entry: ENTRY, caFile: this.#caFile }
      : { ...INSIDE, egressSocket: run.egressSocket && INSIDE.egressSocket };
    const git = [program, ...run.args];
    const command = inside.egressSocket === undefined ? git : [
      inside.denoPath,
      ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-code-cache"],
      ...["--allow-net", "--allow-run", "--allow-env", "--allow-read", "--allow-write"],
      inside.entry,
      inside.egressSocket,
      ...git,
    ];
    const enclosed = this.#enclose(this.#bound(command), run);
    const caFile = this.#caFile && inside.caFile;
    const config = { ...(caFile === undefined ? {} : { "http.sslCAInfo": caFile }), ...run.config };
    const child = new Deno.Command(enclosed[0]!, {
      args: enclosed.slice(1),
      cwd: run.gitDir,
      clearEnv: true,
      env: gitEnvironment(inside.gitDir, config),
      stdin: run.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
    return new GitProcess(child, {
      command: program === "git" ? `git ${run.args[0]}` : "HTTP request",
      stdin: run.stdin,
      timeoutMs: run.timeoutMs,
      signal: run.signal,
      bounds: { ...this.#bounds, dir: run.gitDir },
    });
  }

  /**
   * Runs git to its end.
   *
   * @param maxBytes Of its output.
   * @throws {GitError} It failed, took or said too much.
   */
  async output(run: GitRun, maxBytes: number): Promise<string> {
    return await outputOf(this.start(run), maxBytes);
  }

  /**
   * Makes an HTTP request as git would, by the proxy.
   *
   * @throws {GitError} There is no answer.
   */
  async request(
    request: ConfinedRequest,
    run: Pick<GitRun, "gitDir" | "timeoutMs" | "signal"> & { egressSocket: string },
  ): Promise<{ status: number; body: string }> {
    const caCerts = this.#caFile === undefined ? [] : [await Deno.readTextFile(this.#caFile)];
    const stdin = new TextEncoder().encode(JSON.stringify({ ...request, caCerts, timeoutMs: run.timeoutMs }));
    const text = await outputOf(this.start({ ...run, args: [], stdin }, "fetch"), MAX_ANSWER_BYTES);
    return JSON.parse(text);
  }

  #bound(command: string[]): string[] {
    if (Deno.build.os !== "linux") return command;
    const { fileBytes, cpuSeconds } = this.#bounds;
    return [
      "prlimit",
      `--fsize=${fileBytes}`,
      `--cpu=${cpuSeconds}`,
      "--core=0",
      ...["--", ...command],
    ];
  }

  #enclose(command: string[], { gitDir, writable = false, egressSocket }: GitRun): string[] {
    if (this.#bwrapPath === undefined) return command;
    const uid = this.#uid;
    return [
      this.#bwrapPath,
      ...(uid === undefined
        ? ["--unshare-user", "--cap-drop", "ALL"]
        : ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]),
      ...["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net", "--die-with-parent"],
      ...["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"],
      ...SYSTEM_PATHS.flatMap((path) => ["--ro-bind-try", path, path]),
      ...(this.#caFile === undefined ? [] : ["--ro-bind-try", this.#caFile, INSIDE.caFile]),
      ...[writable ? "--bind" : "--ro-bind", gitDir, INSIDE.gitDir],
      ...(egressSocket === undefined ? [] : [
        ...["--ro-bind", Deno.execPath(), INSIDE.denoPath, "--ro-bind", ENTRY, INSIDE.entry],
        ...["--bind", egressSocket, INSIDE.egressSocket],
      ]),
      ...["--chdir", "/", "--"],
      ...(uid === undefined ? [] : [
        "setpriv",
        ...[`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
        ...["--inh-caps=-all", "--no-new-privs", "--"],
      ]),
      ...command,
    ];
  }
}

async function outputOf(started: GitProcess, maxBytes: number): Promise<string> {
  await using process = started;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of process.stdout) {
    size += chunk.length;
    if (size > maxBytes) throw new GitError(`git says more than ${maxBytes} bytes`, "", true);
    chunks.push(chunk);
  }
  await process.success();
  return await new Blob(chunks).text();
}

/** The user that git becomes; nothing where the server is not root, or there are no walls that it could keep up inside. */
async function ownUser(bwrapPath: string | undefined): Promise<number | undefined> {
  return bwrapPath === undefined ? undefined : await unprivilegedUser(GIT_UID);
}
