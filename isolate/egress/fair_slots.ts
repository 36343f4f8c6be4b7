/** Bounds of {@linkcode FairSlots}. */
export interface FairSlotsBounds {
  perKey: number;
  total: number;
  /** Of one key; more are refused. */
  waitingPerKey: number;
}

type Waiter = (slot: Disposable | null) => void;

/** Lets a number of things happen at a time. The keys that wait take turns, so that none can keep out the others. */
export class FairSlots {
  readonly #bounds: FairSlotsBounds;
  readonly #taken = new Map<string, number>();
  #totalTaken = 0;
  /** First the key whose turn it is. */
  readonly #waiting = new Map<string, Waiter[]>();

  constructor(bounds: FairSlotsBounds) {
    this.#bounds = bounds;
  }

  /** A slot until it is disposed; `null` = too many wait, or `signal` aborted first. */
  acquire(key: string, signal: AbortSignal): Promise<Disposable | null> {
    if (signal.aborted) return Promise.resolve(null);
    if (this.#isFree(key)) return Promise.resolve(this.#take(key));
    const waiters = this.#waiting.get(key) ?? [];
    if (waiters.length >= this.#bounds.waitingPerKey) return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<Disposable | null>();
    waiters.push(resolve);
    this.#waiting.set(key, waiters);
    signal.addEventListener("abort", () => this.#leave(key, resolve), { once: true });
    return promise;
  }

  #isFree(key: string): boolean {
    return this.#totalTaken < this.#bounds.total && (this.#taken.get(key) ?? 0) < this.#bounds.perKey;
  }

  #take(key: string): Disposable {
    this.#totalTaken++;
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1);
    return { [Symbol.dispose]: () => this.#release(key) };
  }

  #release(key: string): void {
    this.#totalTaken--;
    const left = this.#taken.get(key)! - 1;
    if (left === 0) this.#taken.delete(key);
    else this.#taken.set(key, left);
    const next = this.#waiting.keys().find((waiting) => this.#isFree(waiting));
    if (next === undefined) return;
    const waiters = this.#waiting.get(next)!;
    const waiter = waiters.shift()!;
    this.#waiting.delete(next);
    if (waiters.length > 0) this.#waiting.set(next, waiters);
    waiter(this.#take(next));
  }

  #leave(key: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(key);
    const at = waiters?.indexOf(waiter) ?? -1;
    if (waiters === undefined || at === -1) return;
    waiters.splice(at, 1);
    if (waiters.length === 0) this.#waiting.delete(key);
    waiter(null);
  }
}
