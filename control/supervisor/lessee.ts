import type { ErrorCode, IsolateUsage } from "../../runner/mod.ts";

/** Who uses isolates: a runner. */
export interface Lessee {
  readonly id: string;
  /** Answered by `Supervisor.released` or `Supervisor.busy`. */
  recall(isolateId: string): void;
  ended(isolateId: string, code: ErrorCode): void;
  usage(): Promise<IsolateUsage[]>;
}

/** Of an isolate that nobody used. */
export const NO_USAGE: IsolateUsage = {
  isolateId: "",
  requests: 0,
  inFlight: 0,
  lastActiveAt: 0,
  ingressBytes: 0,
  egressBytes: 0,
};

/** For what a lessee answers at once. */
const USAGE_TIMEOUT_MS = 1_000;

/** What all lessees counted, by isolate; one that does not answer within a second is left out. */
export async function sumUsage(lessees: Iterable<Lessee>): Promise<Map<string, IsolateUsage>> {
  const counted = await Promise.all(
    Array.from(lessees, (lessee) => within(lessee.usage(), USAGE_TIMEOUT_MS)),
  );
  const sums = new Map<string, IsolateUsage>();
  for (const used of counted.flat()) {
    const sum = sums.get(used.isolateId);
    sums.set(used.isolateId, sum === undefined ? used : addUsage(sum, used));
  }
  return sums;
}

/** What two lessees, or one in two leases, counted together. */
export function addUsage(a: IsolateUsage, b: IsolateUsage): IsolateUsage {
  return {
    isolateId: a.isolateId,
    requests: a.requests + b.requests,
    inFlight: a.inFlight + b.inFlight,
    lastActiveAt: Math.max(a.lastActiveAt, b.lastActiveAt),
    ingressBytes: a.ingressBytes + b.ingressBytes,
    egressBytes: a.egressBytes + b.egressBytes,
  };
}

async function within<T>(promise: Promise<T[]>, timeoutMs: number): Promise<T[]> {
  const { promise: timeout, resolve } = Promise.withResolvers<T[]>();
  const timer = setTimeout(resolve, timeoutMs, []);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
