import { join } from "node:path";
import { NO_CACHE, type SandboxGrounds, type SandboxPaths, SOCKETS } from "./command.ts";
import type { Enclosure } from "./enclosure.ts";
import type { Cgroups } from "./layers/cgroup.ts";
import { LogIntake } from "./log_intake.ts";
import type { Confinement } from "./protocol.ts";
import { type SharedProcess, startSharedProcess } from "./shared_process.ts";
import type { SharedSlot } from "./shared_slot.ts";

/** What {@linkcode SharedIsolation} works with. */
export interface SharedIsolationOptions {
  enclosure: Enclosure;
  /** The server's, below which the shared process has its own. */
  grounds: SandboxGrounds;
  cgroups: Cgroups | undefined;
  /** The user that its processes become, where the server is root. */
  uid: number | undefined;
  /** Of each program's heap; one that may have more needs a process of its own. */
  maxHeapMb: number;
}

/** In a server's directories, beside those of sandboxes that have a process of their own. */
const DIRECTORY = "shared";
/** Of all its programs together: of threads, a program has four. */
const MAX_PROCESSES = 8_192;

/**
 * One process for many programs, behind the same walls as a sandbox: started with the server, and again at the next need
 * after it ended. It protects the machine from the programs, but not the programs from each other.
 */
export class SharedIsolation implements AsyncDisposable {
  readonly outside: SandboxGrounds;
  /** As its process sees them. */
  readonly inside: SandboxGrounds;
  readonly uid: number | undefined;
  readonly maxHeapMb: number;
  readonly #options: SharedIsolationOptions;
  readonly #paths: SandboxPaths;
  readonly #logs = new LogIntake(({ message }) => console.error(`Shared process: ${message}`));
  #current: Promise<SharedProcess> | undefined;
  #count = 0;

  private constructor(options: SharedIsolationOptions) {
    const { grounds, enclosure, uid, maxHeapMb } = options;
    this.#options = options;
    this.uid = uid;
    this.maxHeapMb = maxHeapMb;
    this.outside = {
      ...grounds,
      programsDir: join(grounds.programsDir, DIRECTORY),
      socketsDir: join(grounds.socketsDir, DIRECTORY),
    };
    this.#paths = { ...this.outside, appDir: this.outside.programsDir, cacheDir: NO_CACHE };
    const inside = enclosure.inside(this.#paths);
    this.inside = { ...inside, programsDir: inside.appDir };
  }

  /** @throws {SandboxError} when its process does not start on this machine */
  static async open(options: SharedIsolationOptions): Promise<SharedIsolation> {
    const shared = new SharedIsolation(options);
    await Deno.mkdir(shared.outside.programsDir, { mode: 0o711 });
    await Deno.mkdir(shared.outside.socketsDir, { mode: 0o711 });
    await shared.#process();
    return shared;
  }

  /**
   * A place for a program, whose keeper waits at the path `control`.
   *
   * @throws {SandboxError} when the process does not start, or ends meanwhile
   */
  async open(control: string): Promise<SharedSlot> {
    const process = await this.#process();
    return await process.open(control);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const process = await this.#current?.catch(() => undefined);
    process?.end();
    await process?.exited;
  }

  #process(): Promise<SharedProcess> {
    return this.#current ??= this.#start();
  }

  async #start(): Promise<SharedProcess> {
    const forget = () => this.#current = undefined;
    try {
      const { enclosure, cgroups, maxHeapMb } = this.#options;
      const control = join(this.outside.socketsDir, SOCKETS.control);
      await Deno.remove(control).catch(() => {}); // Of the process before.
      const confinement: Confinement | undefined = enclosure.confinement && {
        ...enclosure.confinement,
        maxProcesses: enclosure.confinement.maxProcesses && MAX_PROCESSES,
        uid: this.uid,
      };
      const process = await startSharedProcess({
        enclosure,
        paths: this.#paths,
        confinement,
        group: await cgroups?.create(`${DIRECTORY}-${++this.#count}`),
        maxHeapMb,
        onOutput: (level, line) => this.#logs.add(level, line),
      });
      void process.exited.then(forget);
      return process;
    } catch (error) {
      forget();
      throw error;
    }
  }
}
