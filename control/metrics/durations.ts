import type { BuildStore } from "../build/build.ts";
import { Histogram } from "./histogram.ts";

/** Of a start that a visitor waits for: seconds. */
const START_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Of a build: seconds. */
const BUILD_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Builds whose start is remembered: more than run at once. One that was cancelled has no end. */
const MAX_BUILDS = 100;

/** How long things took since the start of the server. */
export class Durations {
  /** Requests that waited for an isolate to start. */
  readonly coldStarts = new Histogram(START_BOUNDS);
  /** Builds, by how they ended. */
  readonly builds = { success: new Histogram(BUILD_BOUNDS), failed: new Histogram(BUILD_BOUNDS) };

  /** A build store that measures every build, from its source to its end. */
  measured(store: BuildStore): BuildStore {
    const startedAt = new Map<string, number>();
    return {
      ...store,
      source: (deploymentId) => {
        const [oldest] = startedAt.keys();
        if (startedAt.size >= MAX_BUILDS) startedAt.delete(oldest!);
        startedAt.set(deploymentId, performance.now());
        return store.source(deploymentId);
      },
      finish: (deploymentId, result) => {
        const sinceMs = startedAt.get(deploymentId);
        startedAt.delete(deploymentId);
        if (sinceMs !== undefined) this.builds[result.status].observe((performance.now() - sinceMs) / 1000);
        return store.finish(deploymentId, result);
      },
    };
  }
}
