import type { AppLogLine } from "../../isolate/mod.ts";
import type { SubhostedLogs } from "../logs/mod.ts";
import type { IsolateObserver, IsolateRef } from "../supervisor/isolate_observer.ts";
import type { SubhostedName } from "./model.ts";
import { subhostedName } from "./subhoster_of.ts";

/** What the feed works with. */
export interface SubhostedLogFeedOptions {
  logs: SubhostedLogs;
  /** Where a subhoster's deployments run. */
  regionOf(subhosterId: string): string;
}

/** Writes what subhosted isolates print, and what is said of them, to their subhosters' logs. */
export class SubhostedLogFeed implements Partial<IsolateObserver> {
  readonly #options: SubhostedLogFeedOptions;

  constructor(options: SubhostedLogFeedOptions) {
    this.#options = options;
  }

  printed({ deploymentId: key }: IsolateRef, line: AppLogLine): void {
    const name = subhostedName(key);
    if (name !== null) this.#write(name, line);
  }

  /** A deployment could not be started, before it had an isolate, or did not get its files. */
  report(subhosted: SubhostedName, message: string): void {
    this.#write(subhosted, { time: new Date().toISOString(), level: "error", message });
  }

  #write({ subhosterId, deploymentId }: SubhostedName, line: AppLogLine) {
    const region = this.#options.regionOf(subhosterId);
    this.#options.logs.append(subhosterId, [{ ...line, deploymentId, region }]);
  }
}
