/** A ledger over a real store, with a clock of the test's own. */
import { openStore, type Store } from "../../store/mod.ts";
import type { UsageDelta } from "../usage_delta.ts";
import { UsageLedger } from "../usage_ledger.ts";
import { PLAIN_DEPLOYMENT } from "../../store/testing/plain_deployment.ts";

/** Long enough that only the test itself makes a ledger write. */
const NEVER_MS = 2 ** 30;

const START_MS = Date.parse("2026-08-01T12:00:00Z");

/** A store, its ledger, and what tests do with them. */
export class TestUsage implements Disposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "isola-usage-" });
  store!: Store;
  ledger!: UsageLedger;
  nowMs = START_MS;
  #monotonicMs = 0;

  /** Opens the store again, as a new server does. */
  async restart(flushMs = NEVER_MS): Promise<void> {
    this.close();
    this.store = await openStore(this.dir);
    this.ledger = new UsageLedger(this.store.database, {
      now: () => this.nowMs,
      monotonicNow: () => this.#monotonicMs,
      flushMs,
    });
  }

  /** Lets time pass; to set `nowMs` sets the clock. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.#monotonicMs += ms;
  }

  /** Makes a project and returns its id. */
  project(name: string, organizationId = this.store.organizations.first().id): string {
    return this.store.projects.create({ organizationId, name, description: "" }).id;
  }

  /** Records a deployment and returns its id. */
  deployment(projectId: string): string {
    return this.store.deployments.create({
      ...PLAIN_DEPLOYMENT,
      projectId,
    }).id;
  }

  /** The requests of a project by the time of their slots, those without any left out. */
  requests(projectId: string, sinceMs = START_MS, untilMs = Infinity): Record<string, number> {
    const busy = [...this.ledger.rows({ projectId }, sinceMs, untilMs)].filter(({ requests }) =>
      requests > 0
    );
    return Object.fromEntries(
      busy.map(({ startMs, requests }) => [new Date(startMs).toISOString(), requests]),
    );
  }

  [Symbol.dispose](): void {
    this.close();
    Deno.removeSync(this.dir, { recursive: true });
  }

  /** Ends the ledger and the store, until the next restart. */
  close(): void {
    this.ledger?.[Symbol.dispose]();
    this.store?.close();
  }
}

/** Opens a ledger with empty state. */
export async function startTestUsage(flushMs?: number): Promise<TestUsage> {
  const usage = new TestUsage();
  await usage.restart(flushMs);
  return usage;
}

/** A report of so many requests; `changes` go over the rest. */
export function used(requests: number, changes: Partial<UsageDelta> = {}): UsageDelta {
  return { requests, cpuMs: 0, uptimeMs: 0, ingressBytes: 0, egressBytes: 0, memoryBytes: 0, ...changes };
}
