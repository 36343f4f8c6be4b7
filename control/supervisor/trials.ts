import type { SandboxEnd } from "../../isolate/mod.ts";
import type { Acquired } from "../../runner/mod.ts";

/** The lessee of isolates on trial. */
export const TRIAL_LESSEE = "trial";
/** A trial boot waits in the same queue as visitors do, but more often. */
const MAX_ATTEMPTS = 12;

/** What a trial does with the supervisor that carries it out. */
export interface TrialSteps {
  acquire(deploymentId: string): Promise<Acquired>;
  /** Waits until its modules have run; how it ended, if it did. */
  settled(isolateId: string): Promise<SandboxEnd | undefined>;
  release(isolateId: string): void;
  retire(deploymentId: string): void;
}

/** Deployments that are started once before they are used, and why they do not start. */
export class Trials {
  readonly #steps: TrialSteps;
  readonly #explanations = new Map<string, string | undefined>();

  constructor(steps: TrialSteps) {
    this.#steps = steps;
  }

  /**
   * Starts the deployment once and ends it again.
   *
   * @throws {Error} that says why it does not start, in words for its author
   */
  async run(deploymentId: string): Promise<void> {
    this.#explanations.set(deploymentId, undefined);
    try {
      const isolateId = await this.#start(deploymentId);
      const end = await this.#steps.settled(isolateId);
      this.#steps.release(isolateId);
      if (end !== undefined) throw new Error(this.#explanations.get(deploymentId) ?? end.detail);
    } finally {
      this.#explanations.delete(deploymentId);
      this.#steps.retire(deploymentId);
    }
  }

  /** Why a deployment that may be on trial did not start; the first explanation is the closest to its cause. */
  explain(deploymentId: string, message: string): void {
    if (!this.#explanations.has(deploymentId)) return;
    this.#explanations.set(deploymentId, this.#explanations.get(deploymentId) ?? message);
  }

  async #start(deploymentId: string): Promise<string> {
    for (let attempt = 1;; attempt++) {
      const result = await this.#steps.acquire(deploymentId);
      if (!("code" in result)) return result.isolateId;
      if (result.code === "OVERLOADED" && attempt < MAX_ATTEMPTS) continue;
      const explanation = this.#explanations.get(deploymentId);
      throw new Error(explanation ?? `Cannot start the deployment: ${result.code}`);
    }
  }
}
