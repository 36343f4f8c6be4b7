import { killGroup } from "../process/kill_group.ts";
import { readStart } from "../process/read_start.ts";
import { BuildError } from "./build_error.ts";
import { type BuildBounds, watchBuild } from "./build_watch.ts";
import type { BuildLog } from "../model.ts";
import {
  type BuilderMessage,
  type BuildRequest,
  type BuiltFile,
  type BuiltImage,
  parseBuilderMessage,
} from "./protocol.ts";

/** What a builder's work ends with. */
type Answer = Extract<BuilderMessage, { type: "done" | "written" }>;

/**
 * The operator's settings that a build may see (INTERFACE §1): where packages come from, whom to trust, which proxy, and
 * where Deno's cache and the user's `.npmrc` are.
 */
const PASSED_ON: ReadonlySet<string> = new Set([
  "HOME",
  "XDG_CACHE_HOME",
  "DENO_DIR",
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "DENO_TLS_CA_STORE",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "NPM_CONFIG_REGISTRY",
]);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const MAX_STDERR_BYTES = 8 * 1024;

/** How a builder is run. */
export interface BuilderOptions {
  /** The server's environment; only what a build needs of it is passed on. */
  env: Readonly<Record<string, string>>;
  /** V8's heap; downloads and esbuild have memory of their own. */
  maxHeapMb: number;
}

/** How one build is run. */
export interface BuildRunOptions {
  onLog: (line: BuildLog) => void;
  timeoutMs: number;
  bounds: BuildBounds;
  signal: AbortSignal;
}

/**
 * Starts a process that is ready to build: esbuild is loaded and has worked once. It is used for one build.
 */
export function startBuilder(options: BuilderOptions): Builder {
  return new Builder(spawn(options));
}

function spawn({ env, maxHeapMb }: BuilderOptions): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-run",
      "--allow-env",
      "--allow-sys",
      `--v8-flags=--max-old-space-size=${maxHeapMb}`,
      import.meta.resolve("./builder_main.ts"),
    ],
    clearEnv: true,
    env: Object.fromEntries(Object.entries(env).filter(([name]) => PASSED_ON.has(name.toUpperCase()))),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // A process group of its own, so that its children end with it.
    detached: true,
  }).spawn();
}

/** A builder process. Whatever comes from it is checked. */
export class Builder implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  #ended = false;

  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#stderr = readStart(process.stderr, MAX_STDERR_BYTES);
    process.status.then(() => this.#end());
  }

  /** Whether it can still be used. */
  get isAlive(): boolean {
    return !this.#ended;
  }

  /**
   * Builds, and ends the process.
   *
   * @throws {BuildError} the deployment cannot be built; the text is for its build log
   * @throws {DOMException} `AbortError`: cancelled
   */
  async run(request: Omit<BuildRequest, "command">, options: BuildRunOptions): Promise<BuiltImage> {
    const answer = await this.#ask(request, options);
    if (answer.type !== "done") throw new TypeError(`Cannot use the answer "${answer.type}" to a build`);
    return answer.image;
  }

  /**
   * Runs a deployment's build command, and ends the process. As {@linkcode Builder.run}.
   *
   * @returns the files that it has written
   */
  async runCommand(request: BuildRequest, options: BuildRunOptions): Promise<BuiltFile[]> {
    const answer = await this.#ask(request, options);
    if (answer.type !== "written") {
      throw new TypeError(`Cannot use the answer "${answer.type}" to a build command`);
    }
    return answer.files;
  }

  async #ask(request: BuildRequest, { onLog, timeoutMs, bounds, signal }: BuildRunOptions): Promise<Answer> {
    let breach: string | undefined;
    const end = (reason?: string) => {
      breach ??= reason;
      this.#end();
    };
    const cancel = () => end();
    const timer = setTimeout(() => end(`Cannot build within ${timeoutMs / 1000} s`), timeoutMs);
    using _watch = watchBuild(this.#process.pid, bounds, (what) => end(`Cannot build: it took ${what}`));
    signal.addEventListener("abort", cancel);
    try {
      signal.throwIfAborted();
      const [answer] = await Promise.all([this.#answer(onLog), this.#send(request)]);
      if (answer) return answer;
      signal.throwIfAborted();
      if (breach !== undefined) throw new BuildError(breach);
      throw await this.#crash();
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      await this[Symbol.asyncDispose]();
    }
  }

  /** Ends the process and its children, if they have not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await Promise.all([
      this.#process.status,
      this.#stderr,
      cancelled(this.#process.stdin),
      cancelled(this.#process.stdout),
    ]);
  }

  async #send(request: BuildRequest): Promise<void> {
    const writer = this.#process.stdin.getWriter();
    try {
      await writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    } catch {
      // It has ended: what it left behind says why.
    } finally {
      writer.releaseLock();
    }
  }

  /** `undefined` if the process ended without one. */
  async #answer(onLog: (line: BuildLog) => void): Promise<Answer | undefined> {
    for await (const line of linesOf(this.#process.stdout)) {
      const message = parseBuilderMessage(line);
      if (message.type === "failed") throw new BuildError(message.message);
      if (message.type !== "log") return message;
      onLog({ level: message.level, message: message.message });
    }
    return undefined;
  }

  async #crash(): Promise<Error> {
    const { code, signal } = await this.#process.status;
    const stderr = await this.#stderr;
    if (/heap out of memory/i.test(stderr)) return new BuildError("Cannot build: out of memory");
    return new Error(`Cannot build: the builder ended with ${signal ?? `code ${code}`}: ${stderr}`);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    killGroup(this.#process.pid);
  }
}

async function cancelled(stream: ReadableStream | WritableStream): Promise<void> {
  if (stream.locked) return;
  const end = stream instanceof ReadableStream ? stream.cancel() : stream.close();
  await end.catch(() => {
    // The other side is gone, which is what was wanted.
  });
}

/** @throws {Error} too much was written */
async function* linesOf(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest: string[] = [];
  let bytes = 0;
  const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) {
        throw new Error(`Cannot read the builder: more than ${MAX_OUTPUT_BYTES} bytes`);
      }
      controller.enqueue(chunk);
    },
  });
  for await (const chunk of stdout.pipeThrough(count).pipeThrough(new TextDecoderStream())) {
    const lines = chunk.split("\n");
    rest.push(lines.shift()!);
    if (lines.length === 0) continue;
    yield rest.join("");
    rest = [lines.pop()!];
    yield* lines;
  }
}
