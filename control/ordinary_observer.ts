import type { LogStore } from "./logs/mod.ts";
import { subhosterOf } from "./subhosting/subhoster_of.ts";
import type { IsolateObserver } from "./supervisor/isolate_observer.ts";
import type { UsageLedger } from "./usage/mod.ts";

/** Where what ordinary deployments print and use goes. */
export interface OrdinaryObserverOptions {
  logs: LogStore;
  usage: UsageLedger;
  region: string;
}

/** Of isolates whose deployments are in the store: writes down what they print and use. */
export function ordinaryObserver(
  { logs, usage, region }: OrdinaryObserverOptions,
): Pick<IsolateObserver, "printed" | "used"> {
  return {
    printed({ deploymentId }, line) {
      if (subhosterOf(deploymentId) === null) logs.app.append(deploymentId, [{ ...line, region }]);
    },
    used({ deploymentId }, delta) {
      if (subhosterOf(deploymentId) === null) usage.add(deploymentId, delta);
    },
  };
}
