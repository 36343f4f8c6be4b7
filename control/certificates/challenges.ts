import type { Challenge } from "../../runner/mod.ts";
import { doneWithin } from "../scheduling/done_within.ts";

/** A runner that does not say so by then is not waited for: its visitors are few, and authorities look several times. */
const APPLY_TIMEOUT_MS = 5000;

/** The challenges of certificate authorities that are answered now. */
export class Challenges {
  readonly #open = new Map<string, Challenge>();
  #apply: (challenges: readonly Challenge[]) => Promise<void> = () => Promise.resolve();

  /** `apply` gets all of them at every change, and resolves once they are answered everywhere. */
  onChange(apply: (challenges: readonly Challenge[]) => Promise<void>): void {
    this.#apply = apply;
  }

  /** Resolves once these are answered everywhere; disposing what it returns ends that. */
  async publish(challenges: readonly Challenge[]): Promise<AsyncDisposable> {
    for (const challenge of challenges) this.#open.set(challenge.token, challenge);
    await this.#changed();
    return {
      [Symbol.asyncDispose]: async () => {
        for (const { token } of challenges) this.#open.delete(token);
        await this.#changed();
      },
    };
  }

  async #changed(): Promise<void> {
    await doneWithin(this.#apply([...this.#open.values()]), APPLY_TIMEOUT_MS);
  }
}
