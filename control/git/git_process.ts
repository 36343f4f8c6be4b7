import { type BuildBounds, watchBuild } from "../build/build_watch.ts";
import { killGroup } from "../process/kill_group.ts";
import { inOneLine } from "../text/one_line.ts";
import { readStart } from "../process/read_start.ts";

/** How {@linkcode GitProcess} looks after a process. */
export interface GitProcessOptions {
  /** What runs, for errors. */
  command: string;
  /** Written to its standard input, which then ends. */
  stdin: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  bounds: BuildBounds;
}

const MAX_STDERR_BYTES = 16 * 1024;
/** Of what git said, in an error. */
const MAX_ERROR_LENGTH = 1000;
/** What git says when its index-pack was ended by a signal, and so could not say why. */
const ENDED_BY_LIMIT = /^fatal: fetch-pack: invalid index-pack output$/;

/** Why a run of git ended early or without success. */
export class GitError extends Error {
  override readonly name = "GitError";

  /**
   * @param stderr What git said, for who may read it.
   * @param isBound It took too much, as it would again.
   */
  constructor(message: string, readonly stderr = "", readonly isBound = false) {
    super(message);
  }
}

/** A run of git. Disposed, it has ended. */
export class GitProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #what: string;
  readonly #stderr: Promise<string>;
  readonly #watch: Disposable;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #signal: AbortSignal | undefined;
  #breach: string | undefined;
  #ended = false;

  constructor(
    child: Deno.ChildProcess,
    { command, stdin, timeoutMs, signal, bounds }: GitProcessOptions,
  ) {
    this.#child = child;
    this.#what = command;
    this.#stderr = readStart(child.stderr, MAX_STDERR_BYTES);
    // One that ends before it has read all of it says why by its exit.
    if (stdin !== undefined) new Response(stdin).body!.pipeTo(child.stdin).catch(() => {});
    this.#watch = watchBuild(child.pid, bounds, (what) => this.#end(`took ${what}`));
    this.#timer = setTimeout(() => this.#end(`took longer than ${timeoutMs / 1000} s`), timeoutMs);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.#abort();
    void child.status.then(() => this.#ended = true);
  }

  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdout;
  }

  /**
   * Waits for its end. To be called when its output was read.
   *
   * @throws {GitError} It failed, or took too much.
   */
  async success(): Promise<void> {
    const { success, signal } = await this.#child.status;
    if (success) return;
    this.#signal?.throwIfAborted();
    const stderr = await this.#stderr;
    if (this.#breach !== undefined) throw new GitError(`${this.#what} ${this.#breach}`, stderr, true);
    if (signal === "SIGXFSZ" || ENDED_BY_LIMIT.test(stderr.trim())) {
      throw new GitError("the repository is too large", stderr, true);
    }
    throw new GitError(`${this.#what} failed: ${firstError(stderr)}`, stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    clearTimeout(this.#timer);
    this.#watch[Symbol.dispose]();
    this.#signal?.removeEventListener("abort", this.#abort);
    await Promise.all([
      this.#child.status,
      this.#stderr,
      this.#child.stdout.locked ? undefined : this.#child.stdout.cancel().catch(() => {}),
    ]);
  }

  readonly #abort = () => this.#end();

  #end(breach?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#breach ??= breach;
    killGroup(this.#child.pid);
  }
}

/** The first line that is an error, without what git puts before it. A server elsewhere may have written it. */
function firstError(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter(Boolean);
  const line = lines.find((each) => /^(?:fatal|error): /.test(each)) ?? lines[0] ?? "it said nothing";
  const text = line.replace(/^(?:fatal|error): /, "").replace(/\.$/, "");
  return inOneLine(text, MAX_ERROR_LENGTH);
}
