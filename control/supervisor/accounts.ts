import type { Sandbox } from "../../isolate/mod.ts";
import type { IsolateUsage } from "../../runner/mod.ts";
import { doneWithin } from "../scheduling/done_within.ts";
import type { UsageDelta } from "../usage/mod.ts";
import type { IsolateRef } from "./isolate_observer.ts";
import type { Lessee } from "./lessee.ts";
import { UsageMeter } from "./usage_meter.ts";

/** For what a lessee answers at once. */
const USAGE_TIMEOUT_MS = 1_000;
/** A lessee gives a lease back as soon as it hears that the isolate is gone. */
const RETURN_TIMEOUT_MS = 5_000;

interface Account {
  readonly isolate: IsolateRef;
  readonly sandbox: Pick<Sandbox, "traffic">;
  readonly meter: UsageMeter;
  /** Set when the isolate is gone and not all its leases are back. */
  end?: { now: number; timer: ReturnType<typeof setTimeout>; done: () => void };
}

/** What each isolate with a program uses, and who is told. Times are in ms on a clock that is never set back. */
export class Accounts implements Disposable {
  readonly #tell: (isolate: IsolateRef, delta: UsageDelta) => void;
  readonly #accounts = new Map<string, Account>();

  constructor(tell: (isolate: IsolateRef, delta: UsageDelta) => void) {
    this.#tell = tell;
  }

  /** The isolate is given its program now. */
  open(isolate: IsolateRef, sandbox: Account["sandbox"], now: number): void {
    this.#accounts.set(isolate.isolateId, { isolate, sandbox, meter: new UsageMeter(now) });
  }

  /** `undefined` for a sandbox without a program, and when all is told. */
  meter(isolateId: string): UsageMeter | undefined {
    return this.#accounts.get(isolateId)?.meter;
  }

  /** Whether a lessee uses any isolate. */
  get isLeased(): boolean {
    for (const { meter } of this.#accounts.values()) if (meter.isLeased) return true;
    return false;
  }

  /** Takes in what the lessees have counted; one that does not answer within a second has its say the next time. */
  async refresh(lessees: Iterable<Lessee>): Promise<void> {
    await Promise.all(Array.from(lessees, async (lessee) => {
      // Not later than the answer arrives: what the lessee says next may be that the lease is over.
      const answer = lessee.usage().then((usages) => this.#report(lessee.id, usages));
      await doneWithin(answer, USAGE_TIMEOUT_MS);
    }));
  }

  /** The lease is over, also when the isolate is no more. */
  giveBack(isolateId: string, lessee: string, usage?: IsolateUsage): void {
    const account = this.#accounts.get(isolateId);
    account?.meter.giveBack(lessee, usage);
    if (account?.end !== undefined && !account.meter.isLeased) this.#close(isolateId, account);
  }

  /** Tells what each live isolate used since the last time. */
  tell(now: number): void {
    for (const account of this.#accounts.values()) {
      if (account.end === undefined) this.#take(account, now);
    }
  }

  /** The isolate is gone: the rest is told as soon as all its leases are back, and `done` called; perhaps at once. */
  end(isolateId: string, now: number, done: () => void): void {
    const account = this.#accounts.get(isolateId);
    if (account === undefined) return done();
    const timer = setTimeout(() => this.#close(isolateId, account), RETURN_TIMEOUT_MS);
    account.end = { now, timer, done };
    if (!account.meter.isLeased) this.#close(isolateId, account);
  }

  /** Tells the rest of those that are gone. */
  [Symbol.dispose](): void {
    for (const [isolateId, account] of this.#accounts) this.#close(isolateId, account);
  }

  #report(lessee: string, usages: IsolateUsage[]) {
    for (const usage of usages) this.meter(usage.isolateId)?.report(lessee, usage);
  }

  #close(isolateId: string, account: Account) {
    const { end } = account;
    this.#accounts.delete(isolateId);
    clearTimeout(end?.timer);
    if (end === undefined) return;
    this.#take(account, end.now);
    end.done();
  }

  #take({ isolate, sandbox, meter }: Account, now: number) {
    meter.transfer(sandbox.traffic());
    this.#tell(isolate, meter.take(now));
  }
}
