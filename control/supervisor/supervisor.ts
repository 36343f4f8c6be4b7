import {
  type AppLogLine,
  measureProcess,
  type Sandbox,
  type SandboxEnd,
  type SandboxEndReason,
  SandboxError,
  type SandboxHome,
  startSandbox,
} from "../../isolate/mod.ts";
import type { Acquired, ErrorCode, IsolateUsage } from "../../runner/mod.ts";
import type { Image, IsolateInfo, Limits } from "../model.ts";
import { addUsage, type Lessee, NO_USAGE, sumUsage } from "./lessee.ts";
import { Lifecycle, type LifecycleOptions } from "./lifecycle.ts";
import type { IsolatePhase, LifecycleEffect, LifecycleEvent } from "./lifecycle_events.ts";

/** What it takes to start a deployment. */
export interface Launch {
  image: Pick<Image, "entry" | "config">;
  /** Puts the deployment's files into a directory of the sandbox's own. */
  populate(dir: string): Promise<void>;
  env: Record<string, string>;
  /** `null` = every public host. */
  net: string[] | null;
  limits: Limits;
}

/** What the supervisor works with. */
export interface SupervisorOptions extends LifecycleOptions {
  home: SandboxHome;
  /** Of blank sandboxes; a deployment with another limit gets a sandbox of its own. */
  memoryMb: number;
  /** @throws when the deployment cannot be started because it is not there */
  launch(deploymentId: string): Launch;
  log(deploymentId: string, line: AppLogLine): void;
}

interface Live {
  /** Settles when it is started, or has failed to. */
  starting?: Promise<void>;
  sandbox?: Sandbox;
  deploymentId?: string;
  socketPath?: string;
  endCode?: ErrorCode;
  /** In leases that are over. */
  past?: IsolateUsage;
}

const TRIAL = "trial";
/** A trial boot waits in the same queue as visitors do, but more often. */
const TRIAL_ATTEMPTS = 12;
/** A program that serves may go on loading for as long as it likes: a trial does not wait for it. */
const TRIAL_SETTLE_MS = 300;

/**
 * Carries out what the {@linkcode Lifecycle} decides.
 *
 * **Invariant:** every sandbox has its entry in `#live` from before it is started until it is gone, and closing ends all.
 */
export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  readonly #lifecycle: Lifecycle;
  readonly #live = new Map<string, Live>();
  readonly #lessees = new Map<string, Lessee>();
  readonly #waiters = new Map<string, (result: Acquired) => void>();
  /** Deployments on trial, and why they did not start. */
  readonly #trials = new Map<string, string | undefined>();
  #nextWaiter = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#lifecycle = new Lifecycle(options, newIsolateId);
    this.#handle({ type: "tick" });
  }

  addLessee(lessee: Lessee): void {
    this.#lessees.set(lessee.id, lessee);
  }

  /** A live isolate of the deployment, leased to `lesseeId`, or the error that the visitor gets. */
  acquire(lesseeId: string, deploymentId: string): Promise<Acquired> {
    if (this.#closed) return Promise.resolve({ code: "ORIGIN_UNAVAILABLE" });
    const waiter = String(this.#nextWaiter++);
    const { promise, resolve } = Promise.withResolvers<Acquired>();
    this.#waiters.set(waiter, resolve);
    const tree = this.#needsOwnSandbox(deploymentId);
    this.#handle({ type: "acquire", waiter, lessee: lesseeId, deploymentId, tree });
    return promise;
  }

  /** The lessee holds the isolate no longer; `usage` is what it counted in this lease. */
  released(lesseeId: string, usage: IsolateUsage): void {
    const { isolateId } = usage;
    this.#account(usage);
    this.#handle({ type: "released", isolateId, lessee: lesseeId });
  }

  busy(lesseeId: string, isolateId: string): void {
    this.#handle({ type: "busy", isolateId, lessee: lesseeId });
  }

  /** The lessee holds the isolate no longer, because it is no good: `code` is what it answers for it. */
  broken(lesseeId: string, usage: IsolateUsage, code: ErrorCode): void {
    const { isolateId } = usage;
    this.#account(usage);
    const live = this.#live.get(isolateId);
    if (live !== undefined) live.endCode ??= code;
    this.#handle({ type: "broken", isolateId, lessee: lesseeId });
  }

  /** Ends the deployment's isolate when what is in flight there is done, after 10 s at the latest. */
  retire(deploymentId: string): void {
    this.#handle({ type: "retire", deploymentId });
  }

  /**
   * Starts the deployment once and ends it again.
   *
   * @throws {Error} that says why it does not start, in words for its author
   */
  async trial(deploymentId: string): Promise<void> {
    this.#trials.set(deploymentId, undefined);
    try {
      for (let attempt = 1;; attempt++) {
        const result = await this.acquire(TRIAL, deploymentId);
        if (!("code" in result)) return await this.#tryOut(result.isolateId);
        if (result.code === "OVERLOADED" && attempt < TRIAL_ATTEMPTS) continue;
        throw new Error(this.#trials.get(deploymentId) ?? `Cannot start the deployment: ${result.code}`);
      }
    } finally {
      this.#trials.delete(deploymentId);
      this.retire(deploymentId);
    }
  }

  async #tryOut(isolateId: string) {
    const end = await this.#live.get(isolateId)?.sandbox?.settled(TRIAL_SETTLE_MS);
    this.#handle({ type: "released", isolateId, lessee: TRIAL });
    if (end !== undefined) throw new Error(end.detail);
  }

  /** The isolates that have a deployment. */
  async isolates(): Promise<IsolateInfo[]> {
    const usage = await sumUsage(this.#lessees.values());
    const infos = [...this.#live].map(
      async ([id, { sandbox, deploymentId, past }]): Promise<IsolateInfo[]> => {
        const state = this.#lifecycle.isolates.get(id)?.phase;
        if (sandbox === undefined || deploymentId === undefined || state === undefined) return [];
        const used = [past, usage.get(id)].filter((one) => one !== undefined).reduce(addUsage, NO_USAGE);
        return [{
          deploymentId,
          state: state === "starting" ? "booting" : state,
          pid: sandbox.pid,
          startedAt: new Date(sandbox.startedAt).toISOString(),
          lastRequestAt: used.lastActiveAt > 0 ? new Date(used.lastActiveAt).toISOString() : null,
          requests: used.requests,
          inFlight: used.inFlight,
          ...await measureProcess(sandbox.pid),
        }];
      },
    );
    return (await Promise.all(infos)).flat();
  }

  /** How many sandboxes there are in each phase. */
  phases(): Record<IsolatePhase, number> {
    const counts = { starting: 0, blank: 0, booting: 0, ready: 0, ending: 0 };
    for (const { phase } of this.#lifecycle.isolates.values()) counts[phase]++;
    return counts;
  }

  /** Acquires that wait for an isolate. */
  get waiting(): number {
    return this.#lifecycle.waiting;
  }

  /** Ends every sandbox; what waits for one is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const resolve of this.#waiters.values()) resolve({ code: "ORIGIN_UNAVAILABLE" });
    this.#waiters.clear();
    await Promise.all([...this.#live.values()].map(async (live) => {
      await live.starting;
      await live.sandbox?.end("shutdown");
    }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #handle(event: LifecycleEvent) {
    if (this.#closed) return;
    for (const effect of this.#lifecycle.handle(event, steadyNow())) this.#execute(effect);
    clearTimeout(this.#timer);
    const next = this.#lifecycle.nextTickAt();
    if (next === Infinity || this.#closed) return;
    this.#timer = setTimeout(() => this.#handle({ type: "tick" }), Math.max(1, next - steadyNow()));
  }

  #execute(effect: LifecycleEffect) {
    switch (effect.type) {
      case "start":
        return this.#begin(effect.isolateId, effect.deploymentId);
      case "assign":
        return void this.#assign(effect.isolateId, effect.deploymentId);
      case "end":
        return void this.#live.get(effect.isolateId)?.sandbox?.end(effect.reason);
      case "recall":
        return this.#lessees.get(effect.lessee)?.recall(effect.isolateId);
      case "askPending":
        return void this.#askPending(effect.isolateId);
      case "survey":
        return void this.#survey();
      case "grant": {
        const { socketPath } = this.#live.get(effect.isolateId)!;
        return this.#answer(effect.waiter, { isolateId: effect.isolateId, socketPath: socketPath! });
      }
      case "refuse": {
        const retryAfterS = effect.retryAfterMs && Math.ceil(effect.retryAfterMs / 1000);
        return this.#answer(effect.waiter, { code: effect.code, retryAfterS });
      }
    }
  }

  #answer(waiter: string, result: Acquired) {
    this.#waiters.get(waiter)?.(result);
    this.#waiters.delete(waiter);
  }

  #begin(isolateId: string, deploymentId: string | undefined) {
    const live: Live = { deploymentId };
    this.#live.set(isolateId, live);
    live.starting = this.#start(isolateId, live);
  }

  async #start(isolateId: string, live: Live) {
    const { deploymentId } = live;
    try {
      const launch = deploymentId === undefined ? undefined : this.#options.launch(deploymentId);
      const config = launch?.image.config;
      const tree = launch && config !== undefined ? { populate: launch.populate, config } : undefined;
      const sandbox = await startSandbox({
        home: this.#options.home,
        id: isolateId,
        net: launch?.net ?? true,
        maxHeapMb: launch?.limits.memoryMb ?? this.#options.memoryMb,
        tree,
        onLog: (line) => live.deploymentId !== undefined && this.#options.log(live.deploymentId, line),
      });
      live.sandbox = sandbox;
      void sandbox.ended.then((end) => this.#ended(isolateId, end));
      this.#handle({ type: "started", isolateId });
      // Its deployment may have been retired meanwhile.
      if (deploymentId !== undefined && this.#lifecycle.isolates.get(isolateId)?.phase === "booting") {
        await this.#assign(isolateId, deploymentId, tree !== undefined);
      }
    } catch (error) {
      this.#bootFailed(isolateId, deploymentId, error);
      this.#ended(isolateId, { reason: "boot_failure", detail: "" });
    }
  }

  async #assign(isolateId: string, deploymentId: string, populated = false) {
    const live = this.#live.get(isolateId)!;
    live.deploymentId = deploymentId;
    try {
      const { image, populate, env, limits } = this.#options.launch(deploymentId);
      live.socketPath = await live.sandbox!.assign({
        populate: populated ? undefined : populate,
        entry: image.entry,
        env,
        bootTimeoutMs: limits.bootTimeoutMs,
      });
      this.#handle({ type: "booted", isolateId });
    } catch (error) {
      this.#bootFailed(isolateId, deploymentId, error);
      await live.sandbox?.end(error instanceof SandboxError ? error.code : "boot_failure");
    }
  }

  #bootFailed(isolateId: string, deploymentId: string | undefined, error: unknown) {
    const message = error instanceof Error ? error.message : String(error);
    if (deploymentId === undefined) {
      console.error(`Cannot start a blank sandbox "${isolateId}": ${message}`);
      return;
    }
    this.#explainTrial(deploymentId, message);
    // What the program said when it ended itself is in the log already.
    if (!(error instanceof SandboxError && error.code === "exited")) {
      this.#log(deploymentId, "error", message);
    }
  }

  #ended(isolateId: string, { reason, detail }: SandboxEnd) {
    const live = this.#live.get(isolateId);
    if (live === undefined) return;
    this.#live.delete(isolateId);
    const phase = this.#lifecycle.isolates.get(isolateId)?.phase;
    const booting = phase === "starting" || phase === "booting";
    const code = live.endCode ?? endCode(reason, booting);
    if (live.deploymentId !== undefined && !booting && UNASKED.has(reason)) {
      this.#log(live.deploymentId, "error", `The isolate ended: ${reason} (${detail})`);
    }
    if (live.deploymentId !== undefined && booting) this.#explainTrial(live.deploymentId, detail);
    for (const lessee of this.#lessees.values()) lessee.ended(isolateId, code);
    this.#handle({ type: "ended", isolateId, code });
  }

  /** The first explanation of a failed start is the closest to its cause. */
  #explainTrial(deploymentId: string, message: string) {
    if (this.#trials.has(deploymentId)) {
      this.#trials.set(deploymentId, this.#trials.get(deploymentId) ?? message);
    }
  }

  #account(usage: IsolateUsage) {
    const live = this.#live.get(usage.isolateId);
    if (live !== undefined) live.past = addUsage(live.past ?? NO_USAGE, { ...usage, inFlight: 0 });
  }

  #log(deploymentId: string, level: "error", message: string) {
    this.#options.log(deploymentId, { time: new Date().toISOString(), level, message });
  }

  async #askPending(isolateId: string) {
    const count = await this.#live.get(isolateId)?.sandbox?.pendingWork() ?? 0;
    this.#handle({ type: "pending", isolateId, count });
  }

  async #survey() {
    const usage = await sumUsage(this.#lessees.values());
    const lastActiveAt = new Map<string, number>();
    for (const [id, { inFlight, lastActiveAt: at }] of usage) {
      const ageMs = inFlight > 0 ? 0 : Math.max(0, Date.now() - at);
      lastActiveAt.set(id, steadyNow() - ageMs);
    }
    this.#handle({ type: "surveyed", lastActiveAt });
  }

  #needsOwnSandbox(deploymentId: string): boolean {
    try {
      const { image, net, limits } = this.#options.launch(deploymentId);
      return image.config !== undefined || net !== null || limits.memoryMb !== this.#options.memoryMb;
    } catch {
      return false; // Refused when it is started.
    }
  }
}

/** Ends that the server did not ask for. */
const UNASKED: ReadonlySet<SandboxEndReason> = new Set(["crashed", "protocol"]);

function endCode(reason: SandboxEndReason, booting: boolean): ErrorCode {
  if (reason === "boot_timeout") return "BOOT_TIMEOUT";
  return booting || reason === "boot_failure" ? "BOOT_FAILURE" : "ISOLATE_CRASHED";
}

/** Unix time in ms, as this process began to count it: never set back. */
function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}

/** Names sockets and directories: short, and no two in one server's life. */
function newIsolateId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
