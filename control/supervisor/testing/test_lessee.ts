import type { ErrorCode, IsolateUsage } from "../../../runner/mod.ts";
import type { Lessee } from "../lessee.ts";
import type { Supervisor } from "../supervisor.ts";

/** What a visitor gets: the app's answer, or the code that stands for it. */
export interface Answer {
  text?: string;
  code?: ErrorCode;
  retryAfterS?: number;
}

interface Lease {
  usage: IsolateUsage;
  client: Deno.HttpClient;
  ended: PromiseWithResolvers<Answer>;
}

/** A lessee without a data plane: it sends requests to isolates of a real supervisor, one connection pool an isolate. */
export class TestLessee implements Lessee, Disposable {
  readonly id = "visitors";
  readonly #supervisor: Supervisor;
  /** By deployment. */
  readonly #leases = new Map<string, Promise<Lease | Answer>>();
  readonly #held = new Map<string, Lease>();

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor;
    supervisor.addLessee(this);
  }

  /** The isolate that is held, if any. */
  get isolateId(): string | undefined {
    return this.#held.keys().next().value;
  }

  async request(deploymentId: string, path: string): Promise<Answer> {
    const lease = await this.#lease(deploymentId);
    if (!("usage" in lease)) return lease;
    lease.usage.requests++;
    lease.usage.inFlight++;
    const text = fetch(`http://127.0.0.1${path}`, { client: lease.client })
      .then(async (response): Promise<Answer> => ({ text: await response.text() }))
      // The end of the isolate is known a moment later than that of its connections.
      .catch(() => lease.ended.promise);
    const answer = await Promise.race([text, lease.ended.promise]);
    lease.usage.inFlight--;
    return answer;
  }

  recall(isolateId: string): void {
    const lease = this.#held.get(isolateId);
    if (lease !== undefined && lease.usage.inFlight > 0) return this.#supervisor.busy(this.id, isolateId);
    this.#giveBack(isolateId);
  }

  ended(isolateId: string, code: ErrorCode): void {
    this.#held.get(isolateId)?.ended.resolve({ code });
    this.#giveBack(isolateId);
  }

  usage(): Promise<IsolateUsage[]> {
    return Promise.resolve(Array.from(this.#held.values(), ({ usage }) => ({ ...usage })));
  }

  inFlight(): Promise<string[]> {
    return Promise.resolve([...this.#held].filter(([, { usage }]) => usage.inFlight > 0).map(([id]) => id));
  }

  [Symbol.dispose](): void {
    for (const isolateId of this.#held.keys()) this.#giveBack(isolateId);
  }

  #lease(deploymentId: string): Promise<Lease | Answer> {
    let lease = this.#leases.get(deploymentId);
    if (lease === undefined) this.#leases.set(deploymentId, lease = this.#acquire(deploymentId));
    return lease;
  }

  async #acquire(deploymentId: string): Promise<Lease | Answer> {
    const acquired = await this.#supervisor.acquire(this.id, deploymentId);
    if ("code" in acquired) {
      this.#leases.delete(deploymentId);
      return acquired;
    }
    const { isolateId, socketPath } = acquired;
    const lease: Lease = {
      usage: { isolateId, requests: 0, inFlight: 0, lastActiveAt: 0, ingressBytes: 0, egressBytes: 0 },
      client: Deno.createHttpClient({ proxy: { transport: "unix", path: socketPath } }),
      ended: Promise.withResolvers(),
    };
    lease.ended.promise.then(() => this.#leases.delete(deploymentId));
    this.#held.set(isolateId, lease);
    return lease;
  }

  #giveBack(isolateId: string) {
    const lease = this.#held.get(isolateId);
    if (lease === undefined) return;
    this.#held.delete(isolateId);
    lease.ended.resolve({ code: "ORIGIN_UNAVAILABLE" });
    lease.client.close();
    this.#supervisor.released(this.id, { ...lease.usage });
  }
}
