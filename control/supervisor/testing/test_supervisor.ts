import { join } from "node:path";
import { type AppLogLine, openSandboxHome, type SandboxHome } from "../../../isolate/mod.ts";
import { DEFAULT_LIMITS, type Limits } from "../../model.ts";
import type { UsageDelta } from "../../usage/mod.ts";
import { tellAll } from "../isolate_observer.ts";
import { Supervisor } from "../supervisor.ts";
import { RecordedCourse } from "./recorded_course.ts";
import { TestLessee } from "./test_lessee.ts";

/** A deployment of a test: one module, and what differs from the defaults. */
export interface TestApp {
  source: string;
  limits?: Partial<Limits>;
  net?: string[];
}

const POLL_MS = 20;
const WAIT_TIMEOUT_MS = 30_000;

/** A real supervisor with real sandboxes, which runs the apps that it is given. */
export class TestSupervisor implements AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly visitors: TestLessee;
  readonly logs: (AppLogLine & { deploymentId: string })[] = [];
  readonly told: (UsageDelta & { deploymentId: string })[] = [];
  /** What was told of isolates. */
  readonly course: RecordedCourse = new RecordedCourse();
  readonly #apps: ReadonlyMap<string, TestApp>;
  readonly #home: SandboxHome;
  readonly #dataDir: string;

  private constructor(apps: ReadonlyMap<string, TestApp>, home: SandboxHome, dataDir: string) {
    this.#apps = apps;
    this.#home = home;
    this.#dataDir = dataDir;
    this.supervisor = new Supervisor({
      home,
      maxIsolates: 10,
      warmPool: 1,
      maxStarting: 2,
      queueTimeoutMs: 30_000,
      maxWaiters: 1_000,
      maxBackgroundMs: 1_000,
      memoryMb: 256,
      launch: (deploymentId) => this.#launch(deploymentId),
      observer: tellAll({
        printed: ({ deploymentId }, line) => void this.logs.push({ deploymentId, ...line }),
        used: ({ deploymentId }, delta) => void this.told.push({ deploymentId, ...delta }),
      }, this.course),
    });
    this.visitors = new TestLessee(this.supervisor);
  }

  static async start(apps: Record<string, TestApp>): Promise<TestSupervisor> {
    const dataDir = await Deno.makeTempDir({ prefix: "isola-supervisor-" });
    const home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
    return new TestSupervisor(new Map(Object.entries(apps)), home, dataDir);
  }

  /** All that was told of a deployment's use, added up. */
  used(deploymentId: string): { requests: number; cpuMs: number; uptimeMs: number } {
    const sum = { requests: 0, cpuMs: 0, uptimeMs: 0 };
    for (const delta of this.told) {
      if (delta.deploymentId !== deploymentId) continue;
      sum.requests += delta.requests;
      sum.cpuMs += delta.cpuMs;
      sum.uptimeMs += delta.uptimeMs;
    }
    return sum;
  }

  /** Waits for a line in a deployment's log. */
  async logged(deploymentId: string, pattern: RegExp): Promise<string> {
    const find = () =>
      this.logs.find((line) => line.deploymentId === deploymentId && pattern.test(line.message));
    await until(`${pattern} in the log`, () => find() !== undefined, () => JSON.stringify(this.logs));
    return find()!.message;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.visitors[Symbol.dispose]();
    await this.supervisor.close();
    await this.#home[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }

  #launch(deploymentId: string) {
    const { source, limits, net = null } = this.#apps.get(deploymentId)!;
    return {
      image: { entry: "main.js" },
      populate: (dir: string) => Deno.writeTextFile(join(dir, "main.js"), source),
      env: {},
      net,
      limits: { ...DEFAULT_LIMITS, memoryMb: 256, bootTimeoutMs: 30_000, ...limits },
    };
  }
}

/** Waits for a condition, not for a time; fails after 30 s. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  detail: () => string = () => "",
): Promise<void> {
  const deadline = Date.now() + WAIT_TIMEOUT_MS;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`Not within ${WAIT_TIMEOUT_MS}ms: ${what} ${detail()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
