import type {
  AccessBatch,
  AcquireMessage,
  CertificateChanges,
  Challenge,
  FromRunner,
  IsolateUsage,
  ListenAddress,
  ResponseCounts,
  RouteChanges,
  RunnerOptions,
  RunnerState,
  ToRunner,
} from "./contract.ts";
import type { ErrorCode } from "./errors.ts";
import type { IsolateSource } from "./isolates/leases.ts";

/** For what the runner answers at once, and beyond the deadline of a drain. */
const REPLY_TIMEOUT_MS = 5000;

/** Whoever grants isolates to a runner and hears of them. */
export interface RunnerSource extends IsolateSource {
  /** Resolves when a certificate for a name that has none was ordered, or will not come now. Never rejects. */
  wantCertificate(hostname: string): Promise<void>;
  /** Takes in requests that are over; until then no more are sent. Called also after the last lease was given back. */
  access(batch: AccessBatch): void | Promise<void>;
  /** So many responses to visitors have begun since the last call. */
  responded(counts: ResponseCounts): void;
  /** The runner ended by itself and serves no more. */
  failed(error: Error): void;
}

/** A data-plane thread, as whoever started it holds it. Disposing it cuts what is in flight: `drain` before. */
export interface Runner extends AsyncDisposable {
  /** As bound. */
  readonly http: ListenAddress;
  readonly https: ListenAddress | null;
  /** Replaces the table by one with these changes. Requests in flight go on. */
  changeRoutes(changes: RouteChanges): void;
  /** Connections that are open go on with what they were opened with. */
  changeCertificates(changes: CertificateChanges): void;
  /** Replaces the challenges that are answered over plain HTTP. */
  setChallenges(challenges: readonly Challenge[]): void;
  /** The isolate is gone: what is in flight there fails with `code`. Answered by `release` if it was leased. */
  ended(isolateId: string, code: ErrorCode): void;
  /** Asks for an isolate back. True = it is not leased any more, false = requests are in flight there. */
  recall(isolateId: string): Promise<boolean>;
  /** What passed through the isolates that are leased now. */
  usage(): Promise<IsolateUsage[]>;
  /** The isolates in which requests are in flight now. */
  inFlight(): Promise<string[]>;
  /**
   * Stops accepting, after `lingerMs` more; finishes what is in flight within `deadlineMs`, gives every isolate back.
   *
   * @param lingerMs @default {0}
   */
  drain(deadlineMs: number, lingerMs?: number): Promise<void>;
}

/**
 * Starts a runner in a worker of this process.
 *
 * @throws {Error} It cannot listen there.
 */
export async function startRunner(
  options: RunnerOptions,
  state: RunnerState,
  source: RunnerSource,
): Promise<Runner> {
  const worker = new Worker(new URL("./runner_worker.ts", import.meta.url), {
    type: "module",
    name: "runner",
  });
  const runner = new RunnerHandle(worker, source);
  try {
    await runner.start(options, state);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return runner;
}

class RunnerHandle implements Runner {
  readonly #worker: Worker;
  readonly #source: RunnerSource;
  readonly #leased = new Set<string>();
  readonly #recalls = new Map<string, PromiseWithResolvers<boolean>>();
  readonly #usages = new Map<number, (isolates: IsolateUsage[]) => void>();
  readonly #inFlights = new Map<number, (isolateIds: string[]) => void>();
  readonly #listening = Promise.withResolvers<{ http: ListenAddress; https: ListenAddress | null }>();
  #questionCount = 0;
  #drained: PromiseWithResolvers<void> | null = null;
  #over = false;
  http: ListenAddress = { hostname: "", port: 0 };
  https: ListenAddress | null = null;

  constructor(worker: Worker, source: RunnerSource) {
    this.#worker = worker;
    this.#source = source;
    worker.onmessage = ({ data }: MessageEvent<FromRunner>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`Runner ended: ${event.message}`);
      this.#finish(error);
      source.failed(error);
    };
  }

  async start(options: RunnerOptions, state: RunnerState): Promise<void> {
    this.#post({ type: "start", options, state });
    const { http, https } = await this.#listening.promise;
    this.http = http;
    this.https = https;
  }

  changeRoutes(changes: RouteChanges): void {
    this.#post({ type: "routes", changes });
  }

  changeCertificates(changes: CertificateChanges): void {
    this.#post({ type: "certificates", changes });
  }

  setChallenges(challenges: readonly Challenge[]): void {
    this.#post({ type: "challenges", challenges });
  }

  ended(isolateId: string, code: ErrorCode): void {
    this.#post({ type: "ended", isolateId, code });
  }

  recall(isolateId: string): Promise<boolean> {
    if (!this.#leased.has(isolateId)) return Promise.resolve(true);
    let recall = this.#recalls.get(isolateId);
    if (recall === undefined) {
      recall = Promise.withResolvers();
      this.#recalls.set(isolateId, recall);
      this.#post({ type: "recall", isolateId });
    }
    return recall.promise;
  }

  usage(): Promise<IsolateUsage[]> {
    if (this.#over) return Promise.resolve([]);
    const requestId = ++this.#questionCount;
    const { promise, resolve } = Promise.withResolvers<IsolateUsage[]>();
    this.#usages.set(requestId, resolve);
    this.#post({ type: "usage", requestId });
    return promise;
  }

  inFlight(): Promise<string[]> {
    if (this.#over) return Promise.resolve([]);
    const requestId = ++this.#questionCount;
    const { promise, resolve } = Promise.withResolvers<string[]>();
    this.#inFlights.set(requestId, resolve);
    this.#post({ type: "inFlight", requestId });
    return promise;
  }

  async drain(deadlineMs: number, lingerMs = 0): Promise<void> {
    if (this.#over) return;
    if (this.#drained === null) {
      this.#drained = Promise.withResolvers();
      this.#post({ type: "drain", deadlineMs, lingerMs });
    }
    let timer;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, deadlineMs + REPLY_TIMEOUT_MS));
    await Promise.race([this.#drained.promise, late]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
    this.#finish(new Error("Runner stopped"));
    this.#worker.terminate();
  }

  #post(message: ToRunner): void {
    if (!this.#over) this.#worker.postMessage(message);
  }

  #receive(message: FromRunner): void {
    switch (message.type) {
      case "listening":
        return this.#listening.resolve(message);
      case "failed":
        return this.#listening.reject(new Error(`Cannot start runner: ${message.message}`));
      case "acquire":
        return void this.#acquire(message);
      case "want":
        return void this.#want(message.hostname);
      case "release":
        this.#returned(message.usage.isolateId);
        return this.#source.release(message.usage);
      case "broken":
        this.#returned(message.usage.isolateId);
        return this.#source.broken(message.usage, message.code);
      case "responses":
        return this.#source.responded(message.counts);
      case "access":
        return void this.#access(message.batch);
      case "busy":
        return this.#answerRecall(message.isolateId, false);
      case "usage":
        this.#usages.get(message.requestId)?.(message.isolates);
        this.#usages.delete(message.requestId);
        return;
      case "inFlight":
        this.#inFlights.get(message.requestId)?.(message.isolateIds);
        this.#inFlights.delete(message.requestId);
        return;
      case "drained":
        return this.#drained?.resolve();
    }
  }

  async #acquire({ requestId, deploymentId, trace, subhosted }: AcquireMessage): Promise<void> {
    const result = await this.#source.acquire(deploymentId, { trace, subhosted });
    if ("isolateId" in result) {
      // Granted to nobody.
      if (this.#over) {
        const { isolateId } = result;
        const usage = {
          isolateId,
          requests: 0,
          inFlight: 0,
          lastActiveAt: 0,
          ingressBytes: 0,
          egressBytes: 0,
        };
        return this.#source.release(usage);
      }
      this.#leased.add(result.isolateId);
    }
    this.#post({ type: "acquired", requestId, result });
  }

  async #access(batch: AccessBatch): Promise<void> {
    await this.#source.access(batch);
    this.#post({ type: "accessTaken" });
  }

  async #want(hostname: string): Promise<void> {
    await this.#source.wantCertificate(hostname);
    this.#post({ type: "ordered", hostname });
  }

  #returned(isolateId: string): void {
    this.#leased.delete(isolateId);
    this.#answerRecall(isolateId, true);
  }

  #answerRecall(isolateId: string, returned: boolean): void {
    this.#recalls.get(isolateId)?.resolve(returned);
    this.#recalls.delete(isolateId);
  }

  /** Answers whoever still waits. */
  #finish(error: Error): void {
    this.#over = true;
    this.#listening.promise.catch(() => {});
    this.#listening.reject(error);
    this.#drained?.resolve();
    for (const isolateId of [...this.#recalls.keys()]) this.#answerRecall(isolateId, true);
    for (const answer of this.#usages.values()) answer([]);
    this.#usages.clear();
    for (const answer of this.#inFlights.values()) answer([]);
    this.#inFlights.clear();
  }
}
