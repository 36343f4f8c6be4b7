import { constants } from "node:os";
import type { Carrier, Exit, SandboxUsage } from "./carrier.ts";
import type { SandboxCommand } from "./command.ts";
import { aborted, saysOutOfMemory } from "./ending.ts";
import type { SandboxGroup } from "./layers/cgroup.ts";
import { dataBytes, firstChild, measureProcess, type ProcessUsage, runDelayMs } from "./measure.ts";
import { readOutputLines } from "./output_lines.ts";
import { paced } from "./paced.ts";
import { REST_SIGNAL } from "./protocol.ts";
import { Rest } from "./rest.ts";
import { spawnCommand } from "./spawn.ts";

/** How much of stderr is kept to explain a death. */
const LAST_WORDS_BYTES = 2_048;
/** A control group's bound is beyond the limit, which is looked at more often than memory can double. */
const GROUP_MEMORY_FACTOR = 1.25;
/** What is never counted as the program's: mapped files, the runtime's own. */
const GROUP_MEMORY_BYTES = 64 * 1024 ** 2;
/** A second bound where there are no control groups: what nested workers reserve, 534 MiB each, is in it. */
const DATA_HEADROOM_BYTES = 4 * 1024 ** 3;

/** What {@linkcode SandboxProcess} is started with. */
export interface SandboxProcessOptions {
  command: SandboxCommand;
  cwd: string;
  group: SandboxGroup | undefined;
  /** Processes between the one that is started and the one that carries the tenant: bubblewrap stays. */
  ancestors: number;
  proxy?: Carrier["proxy"];
  /**
   * How many run in it.
   *
   * @default {() => 1}
   */
  programs?: () => number;
  onOutput: (level: "info" | "error", line: string) => void;
}

/** The process of one sandbox: measured, limited and ended from outside. */
export class SandboxProcess implements Carrier {
  /** Settles, never rejects, when it is gone and all that it wrote has been read. */
  readonly exited: Promise<Exit>;
  readonly #options: SandboxProcessOptions;
  readonly #child: Deno.ChildProcess;
  #pid: number;
  #lastWords = "";
  #saidOutOfMemory = false;
  #usage: SandboxUsage = { cpuMs: 0, memoryBytes: 0 };
  /** CPU time before it had a program. */
  #ownCpuMs = 0;
  /** Of Deno's own program and libraries, which all sandboxes share. */
  #ownSharedBytes = 0;
  /** Only Linux's Deno knows the signal (runtime/worker.rs). */
  readonly #rest = Deno.build.os === "linux" ? new Rest() : undefined;
  #gone = false;

  constructor(options: SandboxProcessOptions) {
    const { command, cwd, group } = options;
    this.#options = options;
    this.#child = spawnCommand(group?.layer(command) ?? command, cwd);
    this.#pid = this.#child.pid;
    this.exited = this.#watch();
  }

  /** Of the process that carries the tenant. */
  get pid(): number {
    return this.#pid;
  }

  get proxy(): Carrier["proxy"] {
    return this.#options.proxy;
  }

  /** To be called when it is up: which process it is, and that nothing before counts as its program's. */
  settle(): void {
    for (let i = 0; i < this.#options.ancestors; i++) this.#pid = firstChild(this.#pid) ?? this.#pid;
    ({ cpuMs: this.#ownCpuMs, sharedBytes: this.#ownSharedBytes } = this.#read());
  }

  async limitMemory(bytes: number): Promise<number> {
    await this.#options.group?.limitMemory(bytes * GROUP_MEMORY_FACTOR + GROUP_MEMORY_BYTES);
    return dataBytes(this.#pid) + 2 * bytes + DATA_HEADROOM_BYTES;
  }

  /** What it has used since it was up; after its end, all in all. */
  measure(): SandboxUsage {
    if (!this.#gone) {
      const { cpuMs, memoryBytes } = this.#read();
      this.#usage = {
        // Neither goes back, and a process that is gone counts as nothing.
        cpuMs: Math.max(this.#usage.cpuMs, cpuMs - this.#ownCpuMs),
        memoryBytes: memoryBytes === 0 ? this.#usage.memoryBytes : memoryBytes - this.#ownSharedBytes,
      };
      const rests = this.#rest?.look(performance.now(), this.#usage, this.#options.programs?.());
      if (rests) kill(() => Deno.kill(this.#pid, REST_SIGNAL));
    }
    return this.#usage;
  }

  /** How long it has been ready to run without a core, so far, in ms; not counting what its own group held back. */
  runDelayMs(): number {
    return Math.max(0, runDelayMs(this.#pid) - (this.#options.group?.usage().throttledMs ?? 0));
  }

  /** Ends it at once; idempotent. */
  kill(): void {
    // At once, and not when bubblewrap is gone.
    if (!this.#gone && this.#pid !== this.#child.pid) kill(() => Deno.kill(this.#pid, "SIGKILL"));
    kill(() => this.#child.kill("SIGKILL"));
  }

  async release(): Promise<void> {
    await this.#options.group?.remove();
  }

  #read(): ProcessUsage {
    const used = measureProcess(this.#pid);
    return { ...used, cpuMs: this.#options.group?.usage().cpuMs ?? used.cpuMs };
  }

  async #watch(): Promise<Exit> {
    const output = Promise.all([
      this.#readOutput(this.#child.stdout, "info"),
      this.#readOutput(this.#child.stderr, "error"),
    ]);
    const { signal, code } = await this.#child.status;
    this.measure(); // What its control group counted is still there.
    this.#gone = true;
    const { oomKills = 0 } = this.#options.group?.usage() ?? {};
    await output;
    const status = signal ?? signalOf(code) ?? `exit code ${code}`;
    return {
      status,
      lastWords: this.#lastWords.trim(),
      outOfMemory: oomKills > 0 || (aborted(status) && this.#saidOutOfMemory),
    };
  }

  async #readOutput(stream: ReadableStream<Uint8Array>, level: "info" | "error") {
    try {
      for await (const line of readOutputLines(paced(stream))) {
        if (level === "error") {
          this.#lastWords = `${this.#lastWords}\n${line}`.slice(-LAST_WORDS_BYTES);
          this.#saidOutOfMemory ||= saysOutOfMemory(line);
        }
        if (line !== "") this.#options.onOutput(level, line);
      }
    } catch (error) {
      this.#lastWords = error instanceof Error ? error.message : String(error);
      this.kill();
    }
  }
}

/** Bubblewrap and shells pass the signal of the process that they waited for on as an exit code. */
function signalOf(code: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number + 128 === code)?.[0];
}

function kill(signal: () => void) {
  try {
    signal();
  } catch (error) {
    // Gone already: its status has settled or will.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
