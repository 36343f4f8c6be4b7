import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Carrier, Exit, SandboxUsage } from "./carrier.ts";
import { NO_CACHE, sandboxCommand, type SandboxPaths, sandboxPaths, SOCKETS } from "./command.ts";
import { type SandboxEnd, type SandboxEndReason, SandboxError } from "./ending.ts";
import { FileQuestions } from "./file_questions.ts";
import { verifyWalls } from "./layers/verify.ts";
import { LogIntake } from "./log_intake.ts";
import { paced } from "./paced.ts";
import type { Program, SandboxOptions, SandboxTraffic } from "./program.ts";
import { ProgramCache } from "./deno_cache/program_cache.ts";
import { ProgramLine, sendLine } from "./program_line.ts";
import { type FromSandbox, type PrepareMessage, readLines, type ToSandbox } from "./protocol.ts";
import { SandboxDirectories } from "./sandbox_directories.ts";
import { SandboxProcess } from "./sandbox_process.ts";
import type { SharedIsolation } from "./shared_isolation.ts";
import { processGone, Waits } from "./waits.ts";

/** How long a process may take until it is blank. */
const START_TIMEOUT_MS = 30_000;
const PENDING_TIMEOUT_MS = 1_000;
/** Without an answer; a program that does not answer so many is busy. */
const MAX_QUESTIONS = 64;

/**
 * Starts a process that is up, sandboxed and rehearsed, and holds nothing of any tenant.
 *
 * @throws {SandboxError} when it is not blank within 30 s, or lacks one of its walls
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
 * The keeper of one sandbox, in the server: its carrier, directories and connection have no other owner.
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
  /** As the server sees them, and as the sandbox does. */
  readonly #paths: SandboxPaths;
  readonly #inside: SandboxPaths;
  readonly #directories: SandboxDirectories;
  readonly #uid: number | undefined;
  /** Not set where it has a process of its own. */
  readonly #shared: SharedIsolation | undefined;
  readonly #logs: LogIntake;
  readonly #waiting = new Map<FromSandbox["type"], (message: FromSandbox) => void>();
  /** Questions of which a live event loop answers each once. */
  readonly #asked = new Map<number, (count: number | undefined) => void>();
  readonly #waits = new Waits();
  readonly #evaluated = Promise.withResolvers<void>();
  #nextQuestion = 1;
  /** As the kernel was told last; 0 = not yet. */
  #limitedMb = 0;
  #carrier: Carrier | undefined;
  #connection: Deno.UnixConn | undefined;
  #cache: ProgramCache | undefined;
  #programLine: ProgramLine | undefined;
  #reading: Promise<void> | undefined;
  #reclaim: Program["reclaim"];
  /** Not set while it has no program that may ask for files. */
  #questions: FileQuestions | undefined;
  #reason: SandboxEndReason | undefined;
  /** What the reason was, in words. */
  #explanation = "";
  /** All in all, when it is gone. */
  #traffic: SandboxTraffic | undefined;
  #end: SandboxEnd | undefined;
  #settleEnded!: (end: SandboxEnd) => void;

  constructor(options: SandboxOptions) {
    const { home, id, tree, maxHeapMb } = options;
    this.#options = options;
    this.id = id;
    // What a process is started with is the same for all that share it.
    this.#shared = tree === undefined && maxHeapMb <= (home.shared?.maxHeapMb ?? 0) ? home.shared : undefined;
    const paths = sandboxPaths(this.#shared?.outside ?? home, id);
    // Where it could be written to, the Cache API would, without a bound.
    const hasCache = this.#shared === undefined && home.enclosure.level === "full";
    this.#paths = hasCache ? { ...paths, cacheDir: join(paths.appDir, "..", "cache") } : paths;
    this.#inside = this.#shared === undefined
      ? home.enclosure.inside(this.#paths)
      : sandboxPaths(this.#shared.inside, id);
    this.#uid = this.#shared === undefined ? home.nextUid() : this.#shared.uid;
    const servedDir = join(home.socketsDir, "served");
    this.#directories = new SandboxDirectories({ id, paths: this.#paths, servedDir, uid: this.#uid });
    this.#logs = new LogIntake(options.onLog);
    this.ended = new Promise((resolve) => this.#settleEnded = resolve);
  }

  /** Of the process that carries the tenant. */
  get pid(): number {
    return this.#carrier?.pid ?? 0;
  }

  /** @internal by {@linkcode startSandbox} */
  async start(): Promise<void> {
    const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
    const { home, tree } = this.#options;
    await this.#directories.make();
    this.#reclaim = tree?.reclaim;
    await tree?.populate?.(this.#directories.appDir);
    if (this.#paths.cacheDir !== NO_CACHE) {
      this.#cache = new ProgramCache(this.#paths.cacheDir, home.cacheTemplateDir);
    }
    await home.egress?.open(this.id, this.#directories.socket("egress"));
    using listener = Deno.listen({ transport: "unix", path: this.#directories.socket("control") });
    // Its directory is the sandbox's alone.
    await Deno.chmod(this.#directories.socket("control"), 0o666);
    this.#carrier = this.#shared === undefined
      ? await this.#startProcess()
      : await this.#shared.open(join(this.#inside.socketsDir, SOCKETS.control));
    void this.#carrier.exited.then((exit) => this.#finish(exit));
    this.#connection = await this.#waits.until(listener.accept(), deadline);
    this.#reading = this.#readMessages(this.#connection);
    const blank = this.#next(["blank"], deadline);
    void this.#send(this.#prepareMessage(this.#carrier.proxy));
    await Promise.all([this.#acceptGuest(listener, deadline), blank]);
    this.#carrier.settle();
    await verifyWalls({
      pid: this.pid,
      enclosure: home.enclosure,
      uid: this.#uid,
      shared: this.#shared !== undefined,
    });
    // As most programs want it, so that they need not wait for it.
    if (this.#shared === undefined) await this.#limitMemory(this.#options.maxHeapMb);
    await this.#directories.seal();
  }

  /**
   * Gives the sandbox its program and waits until it serves.
   *
   * @returns path of the unix socket that it serves
   * @throws {SandboxError} `boot_failure`, `boot_timeout`, or how it ended meanwhile
   */
  async assign(program: Program): Promise<string> {
    const { populate, reclaim, modules, files, compiled, net, memoryMb, bootTimeoutMs } = program;
    if (modules !== undefined && !this.#options.home.moduleIndexes) {
      throw new TypeError(
        "Cannot start a program with a module index: its home was opened without moduleIndexes",
      );
    }
    const deadline = AbortSignal.timeout(bootTimeoutMs);
    this.startedAt = Date.now();
    this.#reclaim ??= reclaim;
    this.#options.home.egress?.allow(this.id, net);
    const { appDir } = this.#directories;
    this.#questions = files &&
      new FileQuestions({ files, dir: appDir, answer: (message) => this.#send(message) });
    this.#programLine?.assign(program, this.#inside.appDir);
    try {
      await this.#limitMemory(memoryMb);
      await populate?.(appDir);
    } catch (error) {
      throw this.#end === undefined ? error : processGone(this.#end);
    }
    if (compiled !== undefined) {
      const module = pathToFileURL(join(this.#inside.appDir, compiled.replace(/\.compiled$/, "")));
      this.#cache?.addFile(module.href, join(appDir, compiled));
    }
    const answer = this.#next(["ready", "failed"], deadline);
    void this.#startProgram();
    this.#cache?.[Symbol.dispose]();
    const message = await answer;
    if (message.type === "failed") throw new SandboxError("boot_failure", String(message.message));
    // The path is ours: what the sandbox says only chooses between the two.
    return this.#directories.served(message.socket === "node" ? "node" : "http");
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
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, PENDING_TIMEOUT_MS, undefined);
    const count = await Promise.race([this.#ask(), late]);
    clearTimeout(timer);
    return count === undefined ? 1 : Math.max(0, count);
  }

  /** Settles with true when the program's event loop has had a turn, with false when the process is gone before. */
  async alive(): Promise<boolean> {
    return await this.#ask() !== undefined;
  }

  /** What the process has used since it had its program; after its end, all in all. */
  measure(): SandboxUsage {
    return this.#carrier?.measure() ?? { cpuMs: 0, memoryBytes: 0 };
  }

  /** How long its threads have been ready to run without a processor, so far, in ms. */
  runDelayMs(): number {
    return this.#carrier?.runDelayMs() ?? 0;
  }

  /** Of its outbound connections so far, as of the last second. */
  traffic(): SandboxTraffic {
    return this.#traffic ?? this.#options.home.traffic.get(this.id) ?? { ingressBytes: 0, egressBytes: 0 };
  }

  /** Ends the process at once; idempotent, the first reason stands. */
  async end(reason: SandboxEndReason): Promise<SandboxEnd> {
    this.#reason ??= reason;
    if (this.#carrier === undefined) {
      await this.#finish({ status: "not started", lastWords: "", outOfMemory: false });
    } else this.#carrier.kill(reason);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("shutdown");
  }

  async #startProcess(): Promise<Carrier> {
    const { home: { enclosure, cgroups }, maxHeapMb, tree } = this.#options;
    const proxyPort = enclosure.proxyPort();
    const plan = { paths: this.#inside, proxyPort, config: tree?.config, maxHeapMb };
    return new SandboxProcess({
      command: enclosure.wrap(sandboxCommand(plan), this.#paths, proxyPort),
      cwd: this.#paths.appDir,
      group: await cgroups?.create(this.id),
      ancestors: enclosure.ancestors,
      proxy: proxyPort === undefined ? undefined : { hostname: "127.0.0.1", port: proxyPort },
      onOutput: (level, line) => this.#logs.add(level, line),
    });
  }

  #prepareMessage(proxy: Carrier["proxy"]): PrepareMessage {
    const { appDir, socketsDir } = this.#inside;
    const { confinement } = this.#options.home.enclosure;
    return {
      type: "prepare",
      controlSocket: `${socketsDir}/${SOCKETS.control}`,
      appDir,
      httpSocket: `${socketsDir}/${SOCKETS.http}`,
      nodeSocket: `${socketsDir}/${SOCKETS.node}`,
      net: proxy === undefined ? this.#options.net : true,
      proxy: proxy && { ...proxy, egressSocket: `${socketsDir}/${SOCKETS.egress}` },
      confinement: confinement && { ...confinement, uid: this.#uid },
      shared: this.#shared !== undefined,
      moduleIndex: this.#options.home.moduleIndexes,
    };
  }

  async #acceptGuest(listener: Deno.UnixListener, deadline: AbortSignal) {
    this.#programLine = new ProgramLine(await this.#waits.until(listener.accept(), deadline));
  }

  async #limitMemory(memoryMb: number) {
    if (memoryMb === this.#limitedMb) return;
    this.#limitedMb = memoryMb;
    const maxDataBytes = await this.#carrier?.limitMemory(memoryMb * 1024 ** 2);
    if (maxDataBytes !== undefined) void this.#send({ type: "limit", maxDataBytes });
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
    this.#carrier?.kill();
  }

  #receive(message: FromSandbox) {
    switch (message?.type) {
      case "log":
        return this.#logs.add(String(message.level), String(message.message));
      case "dropped":
        return this.#logs.addDropped(Number(message.count) || 0);
      case "exit":
        this.#explanation = String(message.message ?? `The program exited with code ${Number(message.code)}`);
        this.#logs.add("error", this.#explanation);
        this.#reason ??= "exited";
        return this.#carrier?.kill();
      case "evaluated":
        return this.#evaluated.resolve();
      case "pending":
        this.#asked.get(message.id)?.(Number(message.count) || 0);
        return void this.#asked.delete(message.id);
      case "file":
        if (this.#questions === undefined) throw new TypeError("Cannot answer for files: none are provided");
        return this.#questions.ask(message);
      case "blank":
      case "ready":
      case "failed":
        return this.#waiting.get(message.type)?.(message);
      default:
        throw new TypeError("Cannot read a message of an unknown type");
    }
  }

  /** Whatever it was, it did not come from our code in there. */
  #breach(error: unknown) {
    this.#reason ??= "protocol";
    this.#explanation = error instanceof Error ? error.message : String(error);
    this.#carrier?.kill();
  }

  async #finish({ status, lastWords, outOfMemory }: Exit) {
    this.#cache?.[Symbol.dispose]();
    this.#programLine?.[Symbol.dispose]();
    await this.#reading;
    const reason = this.#reason ?? (outOfMemory ? "memory_limit" : "crashed");
    const detail = reason === "exited"
      ? this.#explanation
      : [status, lastWords, this.#explanation].join(" ").trim();
    const end = { reason, detail };
    this.#end = end;
    this.#logs.flush();
    for (const answer of this.#asked.values()) answer(undefined);
    await this.#remove();
    this.#waits.end(end);
    this.#settleEnded(end);
  }

  async #remove() {
    const unanswered = this.#questions?.end();
    await Promise.allSettled([
      this.#options.home.egress?.close(this.id).then((usage) => this.#traffic = usage),
      this.#carrier?.release(),
      this.#directories.remove(this.#reclaim),
    ]);
    // Whoever is still fetching files may have put some where all had been removed.
    void unanswered?.then(() => this.#directories.remove(undefined));
  }

  async #startProgram() {
    try {
      const answer = await this.#programLine!.start();
      if (answer !== undefined) this.#receive(answer);
    } catch (error) {
      this.#breach(error);
    }
  }

  async #send(message: ToSandbox) {
    try {
      await sendLine(this.#connection!, message);
    } catch {
      this.#carrier?.kill(); // The connection is broken. Whoever waits for an answer learns how it ended.
    }
  }

  /** Asks for unfinished work; nothing when the process is gone before it answers. */
  async #ask(): Promise<number | undefined> {
    if (this.#end !== undefined || this.#asked.size >= MAX_QUESTIONS) return undefined;
    const id = this.#nextQuestion++;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    this.#asked.set(id, resolve);
    void this.#send({ type: "pending", id });
    return await promise;
  }

  /** The next message of one of these types, or how waiting for it failed. */
  async #next<T extends FromSandbox["type"]>(
    types: T[],
    deadline: AbortSignal,
  ): Promise<Extract<FromSandbox, { type: T }>> {
    const { promise, resolve } = Promise.withResolvers<FromSandbox>();
    for (const type of types) this.#waiting.set(type, resolve);
    try {
      return await this.#waits.until(promise, deadline) as Extract<FromSandbox, { type: T }>;
    } finally {
      for (const type of types) this.#waiting.delete(type);
    }
  }
}
