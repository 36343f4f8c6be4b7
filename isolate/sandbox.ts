import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { sandboxCommand } from "./command.ts";
import { type SandboxEnd, type SandboxEndReason, SandboxError } from "./ending.ts";
import type { SandboxHome } from "./home.ts";
import { type AppLogLine, LogIntake } from "./log_intake.ts";
import { readOutputLines } from "./output_lines.ts";
import { paced } from "./paced.ts";
import { encodeLine, type FromSandbox, readLines, type ToSandbox } from "./protocol.ts";

/** How long a process may take until it is blank. */
const START_TIMEOUT_MS = 30_000;
const PENDING_TIMEOUT_MS = 1_000;
/** How much of stderr is kept to explain a death. */
const LAST_WORDS_BYTES = 2_048;

/** What a sandbox is started with. */
export interface SandboxOptions {
  home: SandboxHome;
  /** Unique, short: names its sockets. */
  id: string;
  /** Hosts that its program may connect to; `true` = every public one. */
  net: true | string[];
  maxHeapMb: number;
  /** For a program that is started as a tree: puts its files into the directory before the process starts. */
  tree?: { populate: (dir: string) => Promise<void>; config: string };
  onLog: (line: AppLogLine) => void;
}

/** A deployment's program, as a sandbox is given it. */
export interface Program {
  /** Puts the program's files into the directory; they are the sandbox's alone. Not set when they are there already. */
  populate?: (dir: string) => Promise<void>;
  /** Module to import, relative to that directory. */
  entry: string;
  env: Record<string, string>;
  bootTimeoutMs: number;
}

/**
 * Starts a process that is up, sandboxed and rehearsed, and holds nothing of any tenant.
 *
 * @throws {SandboxError} when it is not blank within 30 s
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = new Sandbox(options);
  try {
    await sandbox.start();
    return sandbox;
  } catch (error) {
    await sandbox.end("boot_failure");
    throw error;
  }
}

/**
 * The keeper of one sandbox, in the server: its process, directories and connection have no other owner.
 *
 * **Invariant:** used for one program, once.
 */
export class Sandbox implements AsyncDisposable {
  readonly id: string;
  /** Unix time in ms when it was given its program; 0 = blank. */
  startedAt = 0;
  /** Settles, never rejects, when the process is gone and its files are removed. */
  readonly ended: Promise<SandboxEnd>;
  readonly #options: SandboxOptions;
  readonly #socketDir: string;
  readonly #appDir: string;
  readonly #logs: LogIntake;
  readonly #waiting = new Map<FromSandbox["type"], (message: FromSandbox) => void>();
  /** How each wait learns that the process is gone. */
  readonly #waits = new Set<(end: SandboxEnd) => void>();
  readonly #evaluated = Promise.withResolvers<void>();
  #process: Deno.ChildProcess | undefined;
  #connection: Deno.UnixConn | undefined;
  #reading: Promise<void> | undefined;
  #reason: SandboxEndReason | undefined;
  #lastWords = "";
  #end: SandboxEnd | undefined;
  #settleEnded!: (end: SandboxEnd) => void;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.id = options.id;
    this.#socketDir = join(options.home.socketsDir, options.id);
    this.#appDir = join(options.home.programsDir, options.id, "app");
    this.#logs = new LogIntake(options.onLog);
    this.ended = new Promise((resolve) => this.#settleEnded = resolve);
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** @internal by {@linkcode startSandbox} */
  async start(): Promise<void> {
    const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
    await Deno.mkdir(this.#socketDir, { mode: 0o700 });
    await Deno.mkdir(this.#appDir, { recursive: true });
    await this.#options.tree?.populate(this.#appDir);
    using listener = Deno.listen({ transport: "unix", path: this.#path("control.sock") });
    this.#spawn();
    this.#connection = await this.#wait(listener.accept(), deadline);
    this.#reading = this.#readMessages(this.#connection);
    const blank = this.#next(["blank"], deadline);
    void this.#send({
      type: "prepare",
      appDir: this.#appDir,
      httpSocket: this.#path("http.sock"),
      nodeSocket: this.#path("node.sock"),
      net: this.#options.net,
    });
    await blank;
  }

  /**
   * Gives the sandbox its program and waits until it serves.
   *
   * @returns path of the unix socket that it serves
   * @throws {SandboxError} `boot_failure`, `boot_timeout`, or how it ended meanwhile
   */
  async assign({ populate, entry, env, bootTimeoutMs }: Program): Promise<string> {
    const deadline = AbortSignal.timeout(bootTimeoutMs);
    this.startedAt = Date.now();
    await populate?.(this.#appDir).catch((error) => {
      throw this.#end === undefined ? error : processGone(this.#end);
    });
    const answer = this.#next(["ready", "failed"], deadline);
    void this.#send({ type: "assign", entry: pathToFileURL(join(this.#appDir, entry)).href, env });
    const message = await answer;
    // The path is ours: what the sandbox says only chooses between the two.
    if (message.type === "ready") return this.#path(message.socket === "node" ? "node.sock" : "http.sock");
    throw new SandboxError("boot_failure", String(message.message));
  }

  /**
   * Waits until the program's modules have run, at most `timeoutMs`: one that serves already may still fail there.
   *
   * @returns how it ended, or nothing if it lives
   */
  async settled(timeoutMs: number): Promise<SandboxEnd | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    await Promise.race([this.#evaluated.promise, this.ended, late]);
    clearTimeout(timer);
    // Its answer comes after whatever the last module's turn of the event loop reported.
    await this.pendingWork();
    return this.#reason === undefined ? undefined : await this.ended;
  }

  /** How much background work the program says is unfinished; a program that does not answer is busy. */
  async pendingWork(): Promise<number> {
    try {
      const answer = this.#next(["pending"], AbortSignal.timeout(PENDING_TIMEOUT_MS));
      void this.#send({ type: "pending", id: 0 });
      return Math.max(0, (await answer).count);
    } catch {
      return 1;
    }
  }

  /** Ends the process at once; idempotent, the first reason stands. */
  async end(reason: SandboxEndReason): Promise<SandboxEnd> {
    this.#reason ??= reason;
    if (this.#process === undefined) await this.#finish("not started");
    else this.#kill();
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("shutdown");
  }

  #path(name: string): string {
    return join(this.#socketDir, name);
  }

  #spawn() {
    const { home, net, maxHeapMb, tree } = this.#options;
    const bare = sandboxCommand({
      denoPath: home.denoPath,
      hostPath: home.hostPath,
      controlSocket: this.#path("control.sock"),
      cacheDir: this.#path("cache"),
      paths: {
        appDir: this.#appDir,
        httpSocket: this.#path("http.sock"),
        nodeSocket: this.#path("node.sock"),
      },
      net,
      maxHeapMb,
      configPath: tree && join(this.#appDir, tree.config),
    });
    const command = home.layers.reduce((inner, layer) => layer(inner), bare);
    // A session of its own: a terminal's Ctrl-C is for the server, which drains.
    this.#process = new Deno.Command(command.path, {
      args: command.args,
      clearEnv: true,
      env: command.env,
      cwd: this.#appDir,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
    void this.#watch(this.#process);
  }

  async #watch(process: Deno.ChildProcess) {
    const output = Promise.all([
      this.#readOutput(process.stdout, "info"),
      this.#readOutput(process.stderr, "error"),
    ]);
    const status = await process.status;
    await output;
    await this.#reading;
    await this.#finish(status.signal ?? `exit code ${status.code}`);
  }

  async #readOutput(stream: ReadableStream<Uint8Array>, level: "info" | "error") {
    try {
      for await (const line of readOutputLines(paced(stream))) {
        if (level === "error") this.#lastWords = `${this.#lastWords}\n${line}`.slice(-LAST_WORDS_BYTES);
        if (line !== "") this.#logs.add(level, line);
      }
    } catch (error) {
      this.#breach(error);
    }
  }

  async #readMessages(connection: Deno.UnixConn) {
    try {
      for await (const line of readLines(paced(connection.readable))) {
        this.#receive(JSON.parse(line) as FromSandbox);
      }
    } catch (error) {
      // A process that dies with messages unread resets its connection: that breaks no protocol.
      if (!(error instanceof Deno.errors.ConnectionReset)) this.#breach(error);
    }
    // Whoever closed it, a sandbox without its keeper's connection cannot be led any more.
    this.#kill();
  }

  #receive(message: FromSandbox) {
    switch (message?.type) {
      case "log":
        return this.#logs.add(String(message.level), String(message.message));
      case "dropped":
        return this.#logs.addDropped(Number(message.count) || 0);
      case "exit":
        this.#lastWords = String(message.message ?? `The program exited with code ${Number(message.code)}`);
        this.#logs.add("error", this.#lastWords);
        this.#reason ??= "exited";
        return this.#kill();
      case "evaluated":
        return this.#evaluated.resolve();
      case "blank":
      case "ready":
      case "failed":
      case "pending":
        return this.#waiting.get(message.type)?.(message);
      default:
        throw new TypeError("Cannot read a message of an unknown type");
    }
  }

  /** Whatever it was, it did not come from our code in there. */
  #breach(error: unknown) {
    this.#reason ??= "protocol";
    this.#lastWords = error instanceof Error ? error.message : String(error);
    this.#kill();
  }

  #kill() {
    try {
      this.#process?.kill("SIGKILL");
    } catch (error) {
      // Gone already: its status has settled or will.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #finish(exit: string) {
    const end = {
      reason: this.#reason ?? "crashed",
      detail: this.#reason === "exited" ? this.#lastWords : `${exit} ${this.#lastWords}`.trim(),
    };
    this.#end = end;
    this.#logs.flush();
    await Promise.allSettled([
      Deno.remove(this.#socketDir, { recursive: true }),
      Deno.remove(join(this.#appDir, ".."), { recursive: true }),
    ]);
    for (const tell of this.#waits) tell(end);
    this.#settleEnded(end);
  }

  async #send(message: ToSandbox) {
    const bytes = encodeLine(message);
    try {
      for (let sent = 0; sent < bytes.length;) sent += await this.#connection!.write(bytes.subarray(sent));
    } catch {
      this.#kill(); // The connection is broken. Whoever waits for an answer learns how it ended.
    }
  }

  /** The next message of one of these types, or how waiting for it failed. */
  async #next<T extends FromSandbox["type"]>(
    types: T[],
    deadline: AbortSignal,
  ): Promise<Extract<FromSandbox, { type: T }>> {
    const { promise, resolve } = Promise.withResolvers<FromSandbox>();
    for (const type of types) this.#waiting.set(type, resolve);
    try {
      return await this.#wait(promise, deadline) as Extract<FromSandbox, { type: T }>;
    } finally {
      for (const type of types) this.#waiting.delete(type);
    }
  }

  /** Waits for no longer than the process lives and the deadline allows. */
  async #wait<T>(work: Promise<T>, deadline: AbortSignal): Promise<T> {
    const { promise: failure, reject } = Promise.withResolvers<never>();
    const late = () => {
      reject(new SandboxError("boot_timeout", "Cannot start the program: it was not ready in time"));
    };
    const gone = (end: SandboxEnd) => reject(processGone(end));
    if (this.#end !== undefined) gone(this.#end);
    else if (deadline.aborted) late();
    this.#waits.add(gone);
    deadline.addEventListener("abort", late, { once: true });
    try {
      return await Promise.race([work, failure]);
    } finally {
      this.#waits.delete(gone);
      deadline.removeEventListener("abort", late);
    }
  }
}

function processGone({ reason, detail }: SandboxEnd): SandboxError {
  return new SandboxError(reason, `Cannot start the program: its process ended (${detail})`);
}
