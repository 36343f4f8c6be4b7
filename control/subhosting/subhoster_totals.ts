import type { IsolateObserver, IsolateRef } from "../supervisor/isolate_observer.ts";
import type { UsageDelta } from "../usage/mod.ts";
import { addUsage, NO_USAGE } from "../usage/usage_delta.ts";
import { subhosterOf } from "./subhoster_of.ts";

/** What the isolates of one subhoster have used, and how many live. */
export interface SubhosterTotal {
  usage: UsageDelta;
  isolates: number;
}

/** Adds up what the isolates of each subhoster use, since the start of the server. */
export class SubhosterTotals implements Partial<IsolateObserver> {
  readonly #totals: ReadonlyMap<string, SubhosterTotal>;

  /** @param ids Of the subhosters that there are. */
  constructor(ids: readonly string[]) {
    this.#totals = new Map(ids.map((id) => [id, { usage: { ...NO_USAGE }, isolates: 0 }]));
  }

  /** @throws {RangeError} There is no such subhoster. */
  of(subhosterId: string): Readonly<SubhosterTotal> {
    const total = this.#totals.get(subhosterId);
    if (total === undefined) throw new RangeError(`Cannot add up for subhoster "${subhosterId}": unknown`);
    return total;
  }

  assigned(isolate: IsolateRef): void {
    const total = this.#find(isolate);
    if (total !== undefined) total.isolates++;
  }

  used(isolate: IsolateRef, delta: UsageDelta): void {
    const total = this.#find(isolate);
    if (total !== undefined) addUsage(total.usage, delta);
  }

  ended(isolate: IsolateRef): void {
    const total = this.#find(isolate);
    if (total !== undefined) total.isolates--;
  }

  #find({ deploymentId }: IsolateRef): SubhosterTotal | undefined {
    return this.#totals.get(subhosterOf(deploymentId) ?? "");
  }
}
