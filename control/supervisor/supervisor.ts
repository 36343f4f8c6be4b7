import {
  type Sandbox,
  type SandboxEnd,
  type SandboxEndReason,
  SandboxError,
  type SandboxHome,
  startSandbox,
} from "../../isolate/mod.ts";
import type { Acquired, ErrorCode, IsolateUsage, TraceContext } from "../../runner/mod.ts";
import type { IsolateInfo } from "../model.ts";
import { Accounts } from "./accounts.ts";
import { Acquires } from "./acquires.ts";
import { endCode, endLine, isLimit, limitLine } from "./end_report.ts";
import { IsolateCourse } from "./isolate_course.ts";
import { newIsolateId } from "./isolate_id.ts";
import { isolateInfo } from "./isolate_info.ts";
import type { IsolateObserver } from "./isolate_observer.ts";
import { type Launch, needsOwnSandbox, programOf } from "./launch.ts";
import type { Lessee } from "./lessee.ts";
import { Lifecycle, type LifecycleOptions } from "./lifecycle.ts";
import type { EndReason, IsolatePhase, LifecycleEffect, LifecycleEvent } from "./lifecycle_events.ts";
import type { LiveIsolate } from "./live_isolate.ts";
import type { StartObserver } from "./start_observer.ts";
import { steadyNow } from "./steady_now.ts";
import { TRIAL_LESSEE, Trials } from "./trials.ts";
import type { Breach } from "./watch.ts";
import { Watcher } from "./watcher.ts";

export type { Launch } from "./launch.ts";

/** What the supervisor works with. */
export interface SupervisorOptions extends LifecycleOptions {
  home: SandboxHome;
  /** Of blank sandboxes; a deployment that may use more gets a sandbox of its own. */
  memoryMb: number;
  /** @throws when the deployment cannot be started because it is not there */
  launch(deploymentId: string): Launch;
  observer: IsolateObserver;
  /** A request has waited so long for an isolate to start. */
  coldStart?(waitedMs: number): void;
  /** Not set = nobody watches. */
  starts?: StartObserver;
}

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
  readonly #live = new Map<string, LiveIsolate>();
  readonly #lessees = new Map<string, Lessee>();
  readonly #acquires = new Acquires((waitedMs) => this.#options.coldStart?.(waitedMs));
  readonly #accounts: Accounts;
  readonly #watcher: Watcher;
  readonly #trials: Trials;
  readonly #ends: Partial<Record<SandboxEndReason, number>> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#lifecycle = new Lifecycle(options, newIsolateId);
    this.#accounts = new Accounts((isolate, delta) => options.observer.used(isolate, delta));
    this.#watcher = new Watcher({
      lessees: this.#lessees,
      isLeased: () => this.#accounts.isLeased,
      measured: (isolateId, measurement) => this.#accounts.meter(isolateId)?.measure(measurement),
      exceeded: (isolateId, breach) => this.#exceeded(isolateId, breach),
      count: () => this.#count(),
    });
    this.#trials = new Trials({
      acquire: (deploymentId) => this.acquire(TRIAL_LESSEE, deploymentId),
      settled: (isolateId) => this.#settled(isolateId),
      release: (isolateId) => this.#giveBack(isolateId, TRIAL_LESSEE),
      retire: (deploymentId) => this.retire(deploymentId),
    });
    this.#handle({ type: "tick" });
  }

  addLessee(lessee: Lessee): void {
    this.#lessees.set(lessee.id, lessee);
  }

  /** A live isolate of the deployment, leased to `lesseeId`, or the error that the visitor gets; `trace` is the request's. */
  acquire(lesseeId: string, deploymentId: string, trace?: TraceContext): Promise<Acquired> {
    if (this.#closed) return Promise.resolve({ code: "ORIGIN_UNAVAILABLE" });
    const { waiter, answer } = this.#acquires.open(lesseeId);
    if (trace !== undefined) void answer.then(this.#options.starts?.begin(deploymentId, trace));
    const tree = this.#needsOwnSandbox(deploymentId);
    this.#handle({ type: "acquire", waiter, lessee: lesseeId, deploymentId, tree });
    return answer;
  }

  /** The lessee holds the isolate no longer; `usage` is what it counted in this lease. */
  released(lesseeId: string, usage: IsolateUsage): void {
    this.#giveBack(usage.isolateId, lesseeId, usage);
  }

  busy(lesseeId: string, isolateId: string): void {
    this.#handle({ type: "busy", isolateId, lessee: lesseeId });
  }

  /** The lessee holds the isolate no longer, because it is no good: `code` is what it answers for it. */
  broken(lesseeId: string, usage: IsolateUsage, code: ErrorCode): void {
    const { isolateId } = usage;
    const live = this.#live.get(isolateId);
    if (live !== undefined) live.brokenCode ??= code;
    this.#accounts.giveBack(isolateId, lesseeId, usage);
    this.#handle({ type: "broken", isolateId, lessee: lesseeId, code });
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
  trial(deploymentId: string): Promise<void> {
    return this.#trials.run(deploymentId);
  }

  /** The isolates that have a deployment. */
  async isolates(): Promise<IsolateInfo[]> {
    await this.#accounts.refresh(this.#lessees.values());
    return [...this.#live].flatMap(([id, { deploymentId, sandbox }]) => {
      const phase = this.#lifecycle.isolates.get(id)?.phase;
      const meter = this.#accounts.meter(id);
      return deploymentId && phase && sandbox && meter
        ? [isolateInfo(deploymentId, phase, sandbox, meter)]
        : [];
    });
  }

  /** Resident memory of each isolate that has a deployment, as last measured. */
  memory(): { deploymentId: string; memoryBytes: number }[] {
    return [...this.#live].flatMap(([id, { deploymentId }]) => {
      const meter = this.#accounts.meter(id);
      return meter && deploymentId ? [{ deploymentId, memoryBytes: meter.measured.memoryBytes }] : [];
    });
  }

  /** How many sandboxes there are in each phase. */
  phases(): Record<IsolatePhase, number> {
    const counts = { starting: 0, blank: 0, booting: 0, ready: 0, ending: 0 };
    for (const { phase } of this.#lifecycle.isolates.values()) counts[phase]++;
    return counts;
  }

  /** How many isolates that had a deployment have ended so far, by why. */
  get ends(): Readonly<Partial<Record<SandboxEndReason, number>>> {
    return this.#ends;
  }

  /** Acquires that wait for an isolate. */
  get waiting(): number {
    return this.#lifecycle.waiting;
  }

  /** Ends every sandbox; what waits for one is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher[Symbol.dispose]();
    this.#acquires.answerAll({ code: "ORIGIN_UNAVAILABLE" });
    await Promise.all([...this.#live.values()].map(async (live) => {
      await live.starting;
      await live.sandbox?.end("shutdown");
      await live.gone;
    }));
    this.#accounts[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #settled(isolateId: string): Promise<SandboxEnd | undefined> {
    const live = this.#live.get(isolateId);
    const end = await live?.sandbox?.settled(TRIAL_SETTLE_MS);
    if (end !== undefined) await live?.gone;
    return end;
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
        return this.#end(effect.isolateId, effect.reason);
      case "recall":
        return this.#lessees.get(effect.lessee)?.recall(effect.isolateId);
      case "askPending":
        return void this.#askPending(effect.isolateId);
      case "survey":
        return void this.#survey();
      case "grant":
        return this.#grant(effect.isolateId, effect.waiter);
      case "refuse": {
        const retryAfterS = effect.retryAfterMs && Math.ceil(effect.retryAfterMs / 1000);
        return this.#acquires.answer(effect.waiter, { code: effect.code, retryAfterS });
      }
    }
  }

  #grant(isolateId: string, waiter: string) {
    const { socketPath } = this.#live.get(isolateId)!;
    const lessee = this.#acquires.lesseeOf(waiter);
    if (lessee !== undefined) this.#accounts.meter(isolateId)?.lease(lessee);
    this.#acquires.answer(waiter, { isolateId, socketPath: socketPath! });
  }

  #giveBack(isolateId: string, lessee: string, usage?: IsolateUsage) {
    this.#accounts.giveBack(isolateId, lessee, usage);
    this.#handle({ type: "released", isolateId, lessee });
  }

  #begin(isolateId: string, deploymentId: string | undefined) {
    const live: LiveIsolate = {};
    this.#live.set(isolateId, live);
    if (deploymentId !== undefined) this.#give(isolateId, live, deploymentId);
    live.starting = this.#start(isolateId, live);
  }

  async #start(isolateId: string, live: LiveIsolate) {
    const { deploymentId } = live;
    try {
      const launch = deploymentId === undefined ? undefined : this.#options.launch(deploymentId);
      const config = launch?.image.config;
      if (deploymentId !== undefined) this.#options.starts?.step(deploymentId, "sandbox.start");
      const tree = launch && config !== undefined ? { ...launch, config } : undefined;
      const sandbox = await startSandbox({
        home: this.#options.home,
        id: isolateId,
        net: launch?.net ?? true,
        maxHeapMb: launch?.limits.memoryMb ?? this.#options.memoryMb,
        tree,
        onLog: (line) => live.course?.printed(line),
      });
      live.sandbox = sandbox;
      live.gone = this.#awaitEnd(isolateId, sandbox);
      this.#handle({ type: "started", isolateId });
      // Its deployment may have been retired meanwhile.
      if (deploymentId !== undefined && this.#lifecycle.isolates.get(isolateId)?.phase === "booting") {
        await this.#assign(isolateId, deploymentId, tree !== undefined);
      }
    } catch (error) {
      this.#bootFailed(isolateId, live, error);
      this.#ended(isolateId, { reason: "boot_failure", detail: "" });
    }
  }

  async #assign(isolateId: string, deploymentId: string, populated = false) {
    const live = this.#live.get(isolateId)!;
    const sandbox = live.sandbox!;
    if (live.course === undefined) this.#give(isolateId, live, deploymentId);
    this.#accounts.open({ isolateId, deploymentId }, sandbox, steadyNow());
    try {
      const launch = this.#options.launch(deploymentId);
      live.memoryMb = launch.limits.memoryMb;
      this.#watcher.add(isolateId, sandbox, launch.limits);
      const boots = () => this.#options.starts?.step(deploymentId, "isolate.boot");
      this.#options.starts?.step(deploymentId, populated ? "isolate.boot" : "program.handover");
      live.socketPath = await sandbox.assign(programOf(launch, populated ? null : boots));
      this.#watcher.serving(isolateId);
      live.course?.serving(steadyNow());
      this.#handle({ type: "booted", isolateId });
    } catch (error) {
      this.#bootFailed(isolateId, live, error);
      await sandbox.end(error instanceof SandboxError ? error.code : "boot_failure");
    }
  }

  #give(isolateId: string, live: LiveIsolate, deploymentId: string) {
    live.deploymentId = deploymentId;
    live.course = new IsolateCourse({ isolateId, deploymentId }, this.#options.observer, steadyNow());
  }

  #bootFailed(isolateId: string, { deploymentId, course }: LiveIsolate, error: unknown) {
    const message = error instanceof Error ? error.message : String(error);
    if (deploymentId === undefined) {
      console.error(`Cannot start a blank sandbox "${isolateId}": ${message}`);
      return;
    }
    const reason = error instanceof SandboxError ? error.code : "boot_failure";
    // What is said of a limit is said at the end.
    if (isLimit(reason)) return;
    this.#trials.explain(deploymentId, message);
    course?.failed({ reason, message });
  }

  #end(isolateId: string, reason: EndReason) {
    // Those in flight learn why before they find out that it is gone.
    if (isLimit(reason)) this.#tellLessees(isolateId, endCode(reason, false));
    void this.#live.get(isolateId)?.sandbox?.end(reason);
  }

  #exceeded(isolateId: string, breach: Breach) {
    const live = this.#live.get(isolateId);
    const meter = this.#accounts.meter(isolateId);
    if (live?.deploymentId === undefined || meter === undefined) return;
    live.breach = breach;
    const used = meter.used(steadyNow());
    this.#trials.explain(live.deploymentId, limitLine({ used, memoryMb: live.memoryMb ?? 0, breach }));
    const code = breach.limit === "memoryMb" ? "MEMORY_LIMIT" : "TIME_LIMIT";
    this.#handle({ type: "exceeded", isolateId, code });
  }

  async #awaitEnd(isolateId: string, sandbox: Sandbox) {
    const end = await sandbox.ended;
    this.#accounts.meter(isolateId)?.measure(sandbox.measure());
    this.#ended(isolateId, end);
  }

  #ended(isolateId: string, end: SandboxEnd) {
    const live = this.#live.get(isolateId);
    if (live === undefined) return;
    this.#live.delete(isolateId);
    this.#watcher.remove(isolateId);
    const phase = this.#lifecycle.isolates.get(isolateId)?.phase;
    const booting = phase === "starting" || phase === "booting";
    // A lessee whose connection broke cannot know of a limit.
    const code = (isLimit(end.reason) ? undefined : live.brokenCode) ?? endCode(end.reason, booting);
    this.#closeBooks(isolateId, live, end, booting);
    this.#tellLessees(isolateId, code);
    this.#handle({ type: "ended", isolateId, code });
  }

  #closeBooks(isolateId: string, live: LiveIsolate, end: SandboxEnd, booting: boolean) {
    const { deploymentId, course, breach, memoryMb = 0 } = live;
    if (deploymentId === undefined) return;
    this.#ends[end.reason] = (this.#ends[end.reason] ?? 0) + 1;
    // Why a boot failed is said when it does.
    const meter = booting && !isLimit(end.reason) ? undefined : this.#accounts.meter(isolateId);
    const now = steadyNow();
    this.#accounts.end(isolateId, now, () => {
      const line = meter && endLine(end, { used: meter.used(now), memoryMb, breach });
      this.#trials.explain(deploymentId, line ?? end.detail);
      course?.ended(end.reason, line, end.detail);
    });
  }

  #tellLessees(isolateId: string, code: ErrorCode) {
    for (const lessee of this.#lessees.values()) lessee.ended(isolateId, code);
  }

  async #askPending(isolateId: string) {
    const count = await this.#live.get(isolateId)?.sandbox?.pendingWork() ?? 0;
    this.#handle({ type: "pending", isolateId, count });
  }

  async #survey() {
    await this.#accounts.refresh(this.#lessees.values());
    const lastActiveAt = new Map<string, number>();
    for (const id of this.#live.keys()) {
      const meter = this.#accounts.meter(id);
      if (meter === undefined) continue;
      const { inFlight, lastActiveAt: at } = meter.leased;
      lastActiveAt.set(id, steadyNow() - (inFlight > 0 ? 0 : Math.max(0, Date.now() - at)));
    }
    this.#handle({ type: "surveyed", lastActiveAt });
  }

  async #count() {
    await this.#accounts.refresh(this.#lessees.values());
    for (const id of this.#live.keys()) {
      const meter = this.#accounts.meter(id);
      if (meter !== undefined) this.#watcher.counted(id, meter.leased.requests);
    }
    if (!this.#closed) this.#accounts.tell(steadyNow());
  }

  #needsOwnSandbox(deploymentId: string): boolean {
    try {
      return needsOwnSandbox(this.#options.launch(deploymentId), this.#options);
    } catch {
      return false; // Refused when it is started.
    }
  }
}
