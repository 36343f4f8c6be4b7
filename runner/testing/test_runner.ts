import type {
  AccessEntry,
  AcquireContext,
  Acquired,
  Certificate,
  IsolateUsage,
  ResponseCounts,
  Route,
  RunnerOptions,
} from "../contract.ts";
import type { ErrorCode } from "../errors.ts";
import { type Runner, startRunner } from "../runner.ts";
import { DEFAULT_VISITOR_LIMITS } from "../visitor_limits.ts";

/** A real runner, and all that it asked of its source and told it. */
export interface TestRunner extends AsyncDisposable {
  runner: Runner;
  /** Of plain HTTP. */
  port: number;
  /** `http://localhost:PORT`, which is routed. */
  origin: string;
  acquired: string[];
  /** Of each of those. */
  contexts: AcquireContext[];
  access: AccessEntry[];
  /** As they were told. */
  responses: ResponseCounts[];
  released: IsolateUsage[];
  broken: { usage: IsolateUsage; code: ErrorCode }[];
}

/** How a {@linkcode TestRunner} differs from one with a single deployment and roomy limits. */
export interface TestRunnerOptions {
  /** Who answers `acquire`; the number counts the calls from 1. A socket path alone is the isolate "i" + number. */
  acquire: string | ((call: number) => Acquired | Promise<Acquired>);
  route?: Partial<Route>;
  options?: Partial<RunnerOptions>;
  certificates?: readonly Certificate[];
}

/** Starts a runner on a free port which routes "localhost" and "shop.example". */
export async function startTestRunner(
  { acquire, route, options, certificates = [] }: TestRunnerOptions,
): Promise<TestRunner> {
  const known = {
    acquired: [] as string[],
    contexts: [] as AcquireContext[],
    access: [] as AccessEntry[],
    responses: [] as ResponseCounts[],
    released: [] as IsolateUsage[],
    broken: [] as TestRunner["broken"],
  };
  const target: Route = { deploymentId: "d1", maxConcurrency: 100, requestTimeoutMs: 0, ...route };
  const runner = await startRunner(
    {
      http: { hostname: "127.0.0.1", port: 0 },
      https: null,
      redirect: true,
      limits: DEFAULT_VISITOR_LIMITS,
      proxies: [],
      subhosters: [],
      idleTimeoutMs: 60_000,
      queueTimeoutMs: 5000,
      ...options,
    },
    { routes: new Map([["localhost", target], ["shop.example", target]]), certificates },
    {
      acquire: (deploymentId, context = {}) => {
        const call = known.acquired.push(deploymentId);
        known.contexts.push(context);
        if (typeof acquire !== "string") return Promise.resolve(acquire(call));
        return Promise.resolve({ isolateId: `i${call}`, socketPath: acquire });
      },
      release: (usage) => void known.released.push(usage),
      broken: (usage, code) => void known.broken.push({ usage, code }),
      access: ({ entries }) => void known.access.push(...entries),
      responded: (counts) => void known.responses.push(counts),
      wantCertificate: () => Promise.resolve(),
      failed: (error) => {
        throw error;
      },
    },
  );
  return {
    ...known,
    runner,
    port: runner.http.port,
    origin: `http://localhost:${runner.http.port}`,
    [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
  };
}

/** Waits until `condition` holds; fails after 10 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`Cannot wait any longer for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until a count has not changed for 300 ms; fails after 10 s. */
export async function untilStill(count: () => number): Promise<void> {
  let last = -1;
  let still = 0;
  await until(async () => {
    still = count() === last ? still + 1 : 0;
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return still > 15;
  });
}
