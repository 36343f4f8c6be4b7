import type { Exit } from "./carrier.ts";
import { sandboxCommand, type SandboxPaths, SOCKETS } from "./command.ts";
import type { Enclosure } from "./enclosure.ts";
import { SandboxError } from "./ending.ts";
import type { SandboxGroup } from "./layers/cgroup.ts";
import { paced } from "./paced.ts";
import {
  type Confinement,
  encodeLine,
  type FromSharedHost,
  readLines,
  type ToSharedHost,
} from "./protocol.ts";
import { SandboxProcess } from "./sandbox_process.ts";
import { type SharedCarrier, SharedSlot } from "./shared_slot.ts";

/** What {@linkcode startSharedProcess} works with. */
export interface SharedProcessOptions {
  enclosure: Enclosure;
  /** The server's; `appDir` and `socketsDir` hold a directory for each slot. */
  paths: SandboxPaths;
  confinement: Confinement | undefined;
  group: SandboxGroup | undefined;
  maxHeapMb: number;
  onOutput: (level: "info" | "error", line: string) => void;
}

const START_TIMEOUT_MS = 30_000;
/** A look at all slots reads the process's memory once. */
const MEMORY_AGE_MS = 50;
/** Loopback addresses of slots: 127.1.0.0/16. */
const ADDRESSES = 2 ** 16;

/**
 * Starts a process in which many programs can run.
 *
 * @throws {SandboxError} that says why it does not start within 30 s
 */
export async function startSharedProcess(options: SharedProcessOptions): Promise<SharedProcess> {
  const shared = new SharedProcess(options);
  try {
    await shared.start();
    return shared;
  } catch (error) {
    shared.end();
    throw error;
  }
}

/** One life of a process that many programs share: what carries it, and the connection by which its host takes orders. */
export class SharedProcess implements SharedCarrier {
  readonly exited: Promise<Exit>;
  readonly #options: SharedProcessOptions;
  readonly #process: SandboxProcess;
  readonly #listener: Deno.UnixListener;
  readonly #proxyPort: number | undefined;
  /** With what each may use; 0 = blank. */
  readonly #slots = new Map<SharedSlot, number>();
  readonly #closing = new Map<string, () => void>();
  readonly #confined = Promise.withResolvers<void>();
  #connection: Deno.UnixConn | undefined;
  #reading: Promise<void> | undefined;
  #gone = false;
  #turn: Promise<void> = Promise.resolve();
  #nextAddress = 1;
  #memoryBytes = 0;
  #measuredAt = -Infinity;
  #boundBytes = 0;
  /** Why it was ended, for those that it was not ended for. */
  #culprit: SharedSlot | undefined;

  /** @internal by {@linkcode startSharedProcess} */
  constructor(options: SharedProcessOptions) {
    const { enclosure, paths, group, maxHeapMb, onOutput } = options;
    this.#options = options;
    this.#listener = Deno.listen({ transport: "unix", path: `${paths.socketsDir}/${SOCKETS.control}` });
    // Its directory is the process's alone.
    Deno.chmodSync(`${paths.socketsDir}/${SOCKETS.control}`, 0o666);
    this.#proxyPort = enclosure.proxyPort();
    const plan = { paths: enclosure.inside(paths), proxyPort: this.#proxyPort, maxHeapMb, shared: true };
    this.#process = new SandboxProcess({
      command: enclosure.wrap(sandboxCommand(plan), paths, this.#proxyPort),
      cwd: paths.appDir,
      group,
      ancestors: enclosure.ancestors,
      programs: () => Math.max(1, this.#slots.size),
      onOutput,
    });
    this.exited = this.#process.exited.then((exit) => this.#finish(exit));
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** @internal by {@linkcode startSharedProcess} */
  async start(): Promise<void> {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(cannotStart("it was not ready in time")), START_TIMEOUT_MS);
    void this.exited.then(({ status, lastWords }) => reject(cannotStart(`${status} ${lastWords}`.trim())));
    try {
      this.#connection = await Promise.race([this.#listener.accept(), failed]);
      this.#reading = this.#readMessages(this.#connection);
      this.#send({ type: "confine", confinement: this.#options.confinement });
      await Promise.race([this.#confined.promise, failed]);
      this.#process.settle();
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Makes a place for a program, whose keeper waits at the path `control`. One at a time is made.
   *
   * @throws {SandboxError} when the process is gone
   */
  async open(control: string): Promise<SharedSlot> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#turn;
    this.#turn = promise;
    await before;
    if (this.#gone) {
      resolve();
      throw new SandboxError("crashed", "Cannot start the program: the process that it was to share ended");
    }
    const slot = new SharedSlot({ process: this, control, proxy: this.#nextProxy() });
    this.#slots.set(slot, 0);
    void slot.opened.then(resolve);
    void slot.exited.then(() => this.#slots.delete(slot));
    this.#send({ type: "open", control });
    return slot;
  }

  memoryShare(): number {
    const now = performance.now();
    if (now - this.#measuredAt > MEMORY_AGE_MS) {
      this.#measuredAt = now;
      this.#memoryBytes = this.#process.measure().memoryBytes;
    }
    return this.#memoryBytes / Math.max(1, this.#slots.size);
  }

  /** The process may use what all its programs may together; the kernel's bound on it is not lowered again. */
  async limitMemory(slot: SharedSlot, bytes: number): Promise<void> {
    this.#slots.set(slot, bytes);
    const allBytes = this.#slots.values().reduce((sum, each) => sum + each, 0);
    if (allBytes <= this.#boundBytes) return;
    this.#boundBytes = allBytes;
    await this.#process.limitMemory(allBytes);
  }

  close({ control }: SharedSlot): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing.set(control, resolve);
    this.#send({ type: "close", control });
    return promise;
  }

  kill(slot: SharedSlot): void {
    this.#culprit ??= slot;
    this.end();
  }

  /** Ends it at once, with all that is in it; idempotent. */
  end(): void {
    this.#process.kill();
  }

  /** Landlock knows ports alone, so what tells slots apart is the address. */
  #nextProxy() {
    if (this.#proxyPort === undefined) return undefined;
    const number = this.#nextAddress++ % ADDRESSES;
    return { hostname: `127.1.${number >> 8}.${number & 0xff}`, port: this.#proxyPort };
  }

  async #readMessages(connection: Deno.UnixConn) {
    try {
      for await (const line of readLines(paced(connection.readable))) {
        const message = JSON.parse(line) as FromSharedHost;
        if (message?.type === "confined") this.#confined.resolve();
        else if (message?.type === "closed") {
          const control = String(message.control);
          this.#closing.get(control)?.();
          this.#closing.delete(control);
        } else throw new TypeError("Cannot read a message of an unknown type");
      }
    } catch (error) {
      if (!this.#gone && !(error instanceof Deno.errors.ConnectionReset)) {
        this.#options.onOutput("error", error instanceof Error ? error.message : String(error));
      }
    }
    // Whoever closed it, a process that takes no orders cannot be led any more.
    this.end();
  }

  #send(message: ToSharedHost) {
    const bytes = encodeLine(message);
    // Far less than a socket takes at once, so nothing of it is left.
    this.#connection?.write(bytes).catch(() => this.end());
  }

  async #finish(exit: Exit): Promise<Exit> {
    this.#gone = true;
    this.#listener.close();
    await this.#reading;
    await this.#process.release().catch(() => {}); // What cannot be removed now goes when the home does.
    for (const slot of this.#slots.keys()) slot.leave(this.#exitOf(slot, exit));
    return exit;
  }

  /** Memory that it got no more of was anybody's. */
  #exitOf(slot: SharedSlot, { status, lastWords }: Exit): Exit {
    const because = this.#culprit === undefined || this.#culprit === slot
      ? status
      : `${status}, because of another program in its process`;
    return { status: because, lastWords, outOfMemory: false };
  }
}

function cannotStart(reason: string): SandboxError {
  return new SandboxError("boot_failure", `Cannot start a process for many programs: ${reason}`);
}
