import type { Acquired } from "../../runner/mod.ts";
import { TRIAL_LESSEE } from "./trials.ts";

interface Acquire {
  lessee: string;
  openedAtMs: number;
  /** It was not answered in the turn in which it came: nothing was there for it. */
  waited: boolean;
  resolve: (result: Acquired) => void;
}

/** Acquires that are not answered yet, each by a name of its own. How many there may be is decided elsewhere. */
export class Acquires {
  readonly #started: (waitedMs: number) => void;
  readonly #open = new Map<string, Acquire>();
  #next = 0;

  /** @param started Told how long somebody, not a trial, waited for an isolate that was not there. */
  constructor(started: (waitedMs: number) => void) {
    this.#started = started;
  }

  open(lessee: string): { waiter: string; answer: Promise<Acquired> } {
    const waiter = String(this.#next++);
    const { promise: answer, resolve } = Promise.withResolvers<Acquired>();
    const acquire: Acquire = { lessee, openedAtMs: performance.now(), waited: false, resolve };
    queueMicrotask(() => acquire.waited = true);
    this.#open.set(waiter, acquire);
    return { waiter, answer };
  }

  lesseeOf(waiter: string): string | undefined {
    return this.#open.get(waiter)?.lessee;
  }

  /** Of no effect when it was answered before. */
  answer(waiter: string, result: Acquired): void {
    const acquire = this.#open.get(waiter);
    if (acquire === undefined) return;
    this.#open.delete(waiter);
    const { lessee, openedAtMs, waited, resolve } = acquire;
    if (waited && lessee !== TRIAL_LESSEE && "isolateId" in result) {
      this.#started(performance.now() - openedAtMs);
    }
    resolve(result);
  }

  answerAll(result: Acquired): void {
    for (const waiter of this.#open.keys()) this.answer(waiter, result);
  }
}
