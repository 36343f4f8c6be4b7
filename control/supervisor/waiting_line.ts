/** An acquire that waits. */
export interface Waiter {
  id: string;
  lessee: string;
  /** When it is refused, unless its isolate has a place by then. */
  queuedUntil: number;
}

/** Who waits for the isolate of which deployment, in order of arrival; bounded over all of them. */
export class WaitingLine {
  readonly #maxWaiters: number;
  readonly #lines = new Map<string, Waiter[]>();
  #size = 0;

  constructor(maxWaiters: number) {
    this.#maxWaiters = maxWaiters;
  }

  /** Over all deployments. */
  get size(): number {
    return this.#size;
  }

  /** False when there is no room. */
  join(deploymentId: string, waiter: Waiter): boolean {
    if (this.#size >= this.#maxWaiters) return false;
    this.#size++;
    const line = this.#lines.get(deploymentId);
    if (line === undefined) this.#lines.set(deploymentId, [waiter]);
    else line.push(waiter);
    return true;
  }

  /** Who has waited longest for this deployment. */
  first(deploymentId: string): Waiter | undefined {
    return this.#lines.get(deploymentId)?.[0];
  }

  /** Everybody leaves. */
  leave(deploymentId: string): Waiter[] {
    const line = this.#lines.get(deploymentId) ?? [];
    this.#lines.delete(deploymentId);
    this.#size -= line.length;
    return line;
  }

  /** Those leave whose time is up. */
  leaveLate(deploymentId: string, now: number): Waiter[] {
    const line = this.#lines.get(deploymentId) ?? [];
    const stays = line.findIndex(({ queuedUntil }) => queuedUntil > now);
    if (stays === -1) return this.leave(deploymentId);
    this.#size -= stays;
    return line.splice(0, stays);
  }
}
