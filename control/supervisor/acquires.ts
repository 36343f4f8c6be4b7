import type { Acquired } from "../../runner/mod.ts";

interface Acquire {
  lessee: string;
  resolve: (result: Acquired) => void;
}

/** Acquires that are not answered yet, each by a name of its own. How many there may be is decided elsewhere. */
export class Acquires {
  readonly #open = new Map<string, Acquire>();
  #next = 0;

  open(lessee: string): { waiter: string; answer: Promise<Acquired> } {
    const waiter = String(this.#next++);
    const { promise: answer, resolve } = Promise.withResolvers<Acquired>();
    this.#open.set(waiter, { lessee, resolve });
    return { waiter, answer };
  }

  lesseeOf(waiter: string): string | undefined {
    return this.#open.get(waiter)?.lessee;
  }

  /** Of no effect when it was answered before. */
  answer(waiter: string, result: Acquired): void {
    this.#open.get(waiter)?.resolve(result);
    this.#open.delete(waiter);
  }

  answerAll(result: Acquired): void {
    for (const waiter of this.#open.keys()) this.answer(waiter, result);
  }
}
