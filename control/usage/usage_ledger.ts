import { SteadyClock } from "../scheduling/steady_clock.ts";
import type { Database } from "../store/mod.ts";
import { SLOT_MS, slotOf } from "./slot.ts";
import { addUsage, NO_USAGE, type UsageDelta, usageProblem } from "./usage_delta.ts";
import { type UsageEntry, type UsageRow, type UsageScope, UsageTable } from "./usage_table.ts";

/** What a `kill -9` may lose. */
const FLUSH_MS = 5000;
/** Entries written in one transaction: a few ms of the event loop. */
const BATCH = 100;
/** Entries that wait to be written; what would need one more is refused. They are only so many when the disk fails. */
const MAX_UNWRITTEN = 100_000;
/** A deployment that used nothing for so long leaves the memory, and the totals. */
const FORGOTTEN_AFTER_MS = 60 * 60_000;
/** Accounts in memory; beyond, each leaves as soon as it is written. */
const MAX_ACCOUNTS = 50_000;
/** How many totals there are: of deployments, and of all others together. */
const MAX_TOTALS = 1000;
/** How long rows are kept. */
const KEPT_MS = 366 * 24 * 60 * 60_000;

/** How a ledger is kept. */
export interface UsageLedgerOptions {
  /** Unix ms of the wall clock. @default {Date.now} */
  now?: () => number;
  /** Which `now` is held against before rows are deleted: ms of a clock that nobody sets. @default {performance.now} */
  monotonicNow?: () => number;
  /** How long usage waits to be written. @default {5000} */
  flushMs?: number;
}

/** What one deployment has used in all. */
export interface DeploymentUsage extends Omit<UsageDelta, "memoryBytes"> {
  /** Or "other", which is no deployment's id: all those without a total of their own, since the start of the server. */
  deploymentId: string;
}

interface Account {
  id: number;
  project: number;
  total: UsageDelta;
  /** Whether `total` is shown as its own. */
  listed: boolean;
  usedAtMs: number;
  /** What waits to be written for the current slot. */
  entry?: Entry;
}

interface Entry extends UsageEntry {
  account: Account;
}

/**
 * The account book of a server: takes reports in without I/O, writes them every few seconds, tells sums.
 *
 * **Invariant:** a report is in memory or on disk, never both: it moves in one transaction.
 */
export class UsageLedger implements Disposable {
  readonly #table: UsageTable;
  readonly #now: () => number;
  readonly #clock: SteadyClock;
  readonly #flushMs: number;
  readonly #accounts = new Map<string, Account>();
  /** By slot. */
  readonly #unwritten = new Map<number, Entry[]>();
  #unwrittenCount = 0;
  #listedCount = 0;
  /** Since the start; of accounts that are not listed. */
  readonly #otherTotal = { ...NO_USAGE };
  #refused: { count: number; first: string } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(
    database: Database,
    { now = Date.now, monotonicNow, flushMs = FLUSH_MS }: UsageLedgerOptions = {},
  ) {
    this.#table = new UsageTable(database);
    this.#now = now;
    this.#clock = new SteadyClock(now, monotonicNow);
    this.#flushMs = flushMs;
  }

  /**
   * Takes in what a deployment used. Reads the database the first time that it sees the deployment, and only then. What
   * cannot be true is refused, and the log says so.
   */
  add(deploymentId: string, delta: UsageDelta): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => this.#flushBatch(), this.#flushMs);
    const problem = usageProblem(delta);
    if (problem !== undefined) return this.#refuse(deploymentId, problem);
    const nowMs = this.#now();
    const account = this.#accounts.get(deploymentId) ?? this.#open(deploymentId);
    if (account === undefined) return this.#refuse(deploymentId, "no project has such a deployment");
    const entry = this.#entry(account, slotOf(nowMs));
    if (entry === undefined) return this.#refuse(deploymentId, "too many others wait to be written");
    addUsage(entry.usage, delta);
    addUsage(account.total, delta);
    account.usedAtMs = nowMs;
  }

  /**
   * A project's or an organization's usage: every slot that begins in `[sinceMs, untilMs)`, is not older than a year and
   * has begun, oldest first, zeros where nothing was used. What is not written yet is in it. Adjoining ranges make no row
   * twice. Each step is one short query, so that a reader of many rows can give the event loop its turns.
   */
  *rows(scope: UsageScope, sinceMs: number, untilMs: number): Generator<UsageRow, void, void> {
    const nowMs = this.#now();
    const projects = this.#table.projects(scope);
    const isWanted = new Set(projects);
    const first = Math.ceil(Math.max(sinceMs, nowMs - KEPT_MS) / SLOT_MS);
    const end = Math.min(Math.ceil(untilMs / SLOT_MS), slotOf(nowMs) + 1);
    for (let slot = first; slot < end; slot++) {
      const row = this.#table.sum(slot, projects);
      for (const { account, usage } of this.#unwritten.get(slot) ?? []) {
        if (isWanted.has(account.project)) addUsage(row, usage);
      }
      yield row;
    }
  }

  /**
   * What each deployment that used something in the last hour ever used, for up to 999 of them; the last one is "other".
   * None of them ever falls, except by going away.
   */
  totals(): DeploymentUsage[] {
    const listed = [...this.#accounts].filter(([, account]) => account.listed);
    return [
      ...listed.map(([deploymentId, { total }]) => toTotal(deploymentId, total)),
      toTotal("other", this.#otherTotal),
    ];
  }

  /** Writes all that waits. */
  flush(): void {
    while (this.#unwrittenCount > 0) this.#writeBatch();
  }

  /** Writes all that waits and takes no more. Idempotent. To be called before the database is closed. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#reportRefused();
    this.flush();
  }

  #open(deploymentId: string): Account | undefined {
    const stored = this.#table.account(deploymentId);
    if (stored === undefined) return undefined;
    const { id, project, ...total } = stored;
    const listed = this.#listedCount < MAX_TOTALS - 1;
    if (listed) this.#listedCount++;
    const account: Account = {
      id,
      project,
      total: listed ? { ...total, memoryBytes: 0 } : this.#otherTotal,
      listed,
      usedAtMs: 0,
    };
    this.#accounts.set(deploymentId, account);
    return account;
  }

  /** Where the usage of an account in this slot gathers. After a step of the clock, that is another than before. */
  #entry(account: Account, slot: number): Entry | undefined {
    if (account.entry?.slot === slot) return account.entry;
    if (this.#unwrittenCount >= MAX_UNWRITTEN) return undefined;
    const entry: Entry = { account, slot, usage: { ...NO_USAGE } };
    const others = this.#unwritten.get(slot);
    if (others === undefined) this.#unwritten.set(slot, [entry]);
    else others.push(entry);
    this.#unwrittenCount++;
    account.entry = entry;
    return entry;
  }

  #flushBatch(): void {
    this.#reportRefused();
    let delayMs = 0;
    try {
      this.#writeBatch();
    } catch (error) {
      console.error("Cannot write the usage of deployments, which is tried again:", error);
      delayMs = this.#flushMs;
    }
    if (this.#unwrittenCount > 0) this.#timer = setTimeout(() => this.#flushBatch(), delayMs);
    else {
      this.#timer = null;
      this.#forget();
    }
  }

  #writeBatch(): void {
    const [next] = this.#unwritten;
    if (next === undefined) return;
    const [slot, entries] = next;
    const batch = entries.slice(-BATCH);
    const steadyMs = this.#clock.steadyMs();
    this.#table.write(batch, steadyMs === null ? null : slotOf(steadyMs - KEPT_MS));
    for (const entry of batch) {
      if (entry.account.entry === entry) entry.account.entry = undefined;
    }
    entries.length -= batch.length;
    this.#unwrittenCount -= batch.length;
    if (entries.length === 0) this.#unwritten.delete(slot);
  }

  /** Called when everything is written: an account that comes back is read from the database. */
  #forget(): void {
    const tooMany = this.#accounts.size > MAX_ACCOUNTS;
    const nowMs = this.#now();
    for (const [deploymentId, { usedAtMs, listed }] of this.#accounts) {
      if (!tooMany && nowMs - usedAtMs < FORGOTTEN_AFTER_MS) continue;
      this.#accounts.delete(deploymentId);
      if (listed) this.#listedCount--;
    }
  }

  #refuse(deploymentId: string, problem: string): void {
    if (this.#refused === null) {
      this.#refused = { count: 1, first: `deployment "${deploymentId}": ${problem}` };
    } else this.#refused.count++;
  }

  #reportRefused(): void {
    if (this.#refused === null) return;
    const { count, first } = this.#refused;
    console.error(`Cannot account for ${count} reports of usage, the first of ${first}`);
    this.#refused = null;
  }
}

function toTotal(deploymentId: string, { memoryBytes: _, ...total }: UsageDelta): DeploymentUsage {
  return { deploymentId, ...total };
}
