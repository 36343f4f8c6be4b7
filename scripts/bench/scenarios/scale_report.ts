import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import type { ServerMemory } from "../measures/server_memory.ts";
import { quantile, spread } from "../measures/statistics.ts";

/** Everything that was measured of a server with many deployments. */
export interface ScaleResults extends ServerMemory {
  starts: readonly ScaleStart[];
  /** CPU time a request of all processes, one entry a round. */
  cpuMicros: {
    /** One deployment registered. */
    one: readonly number[];
    /** All registered, one with an isolate. */
    registered: readonly number[];
    /** All registered, many with isolates. */
    live: readonly number[];
  };
  updates: readonly RouteUpdate[];
}

/** One start of the server, from the start of its process. */
export interface ScaleStart extends ServerMemory {
  /** `/healthz` says so. */
  readyMs: number;
  /** First request answered. */
  servedMs: number;
}

/** One change of the route table. */
export interface RouteUpdate {
  /** From the call to the new answer. */
  visibleMs: number;
  /** The longest that a visitor of another deployment waited meanwhile. */
  visitorsMs: number;
  /** The longest that a caller of the control API waited meanwhile. */
  callersMs: number;
}

/** How many deployments there are, and how many of them have an isolate. */
export interface ScaleSize {
  registered: number;
  live: number;
}

/** More than this is not flat, less is not to be told from noise. */
const FLAT = 1.1;

/** A table of medians and spreads, and what they say about the promises. */
export function scaleFindings(results: ScaleResults, { registered, live }: ScaleSize): Findings {
  const { starts, cpuMicros, updates, rssMiB, peakRssMiB } = results;
  const count = registered.toLocaleString("en-US");
  const median = (values: readonly number[]) => quantile(values, 0.5);
  const ofStarts = (key: keyof ScaleStart) => starts.map((start) => start[key]);
  const ofUpdates = (key: keyof RouteUpdate) => updates.map((update) => update[key]);
  const growth = median(cpuMicros.registered) / median(cpuMicros.one);
  const ms = (limit: number) => ({ limit, unit: "ms", decimals: 0 });
  return {
    markdown: [
      `### ${count} deployments, ${live} of them live: median (least–greatest)`,
      table(["", ""], [
        ["start to `/healthz`, ms", spread(ofStarts("readyMs"), 0)],
        ["start to the first answer of an app, ms", spread(ofStarts("servedMs"), 0)],
        ["server process after that, MiB RSS", spread(ofStarts("rssMiB"), 0)],
        [`the same with ${live} isolates, after load and changes`, spread([rssMiB], 0)],
        ["its peak", spread([peakRssMiB], 0)],
        ["CPU µs/request, 1 registered, 1 live", spread(cpuMicros.one, 1)],
        [`CPU µs/request, ${count} registered, 1 live`, spread(cpuMicros.registered, 1)],
        [`CPU µs/request, ${count} registered, ${live} live`, spread(cpuMicros.live, 1)],
        ["new domain: until it is served, ms", spread(ofUpdates("visibleMs"), 1)],
        ["new domain: longest wait of another app's visitor, ms", spread(ofUpdates("visitorsMs"), 1)],
        ["new domain: longest wait of an API caller, ms", spread(ofUpdates("callersMs"), 1)],
      ]),
    ].join("\n\n"),
    verdicts: [
      atMost(`start with ${count} deployments`, median(ofStarts("servedMs")), ms(3000)),
      atMost(`route lookup, ${count} deployments`, growth, { limit: FLAT, unit: "× with 1", decimals: 2 }),
      atMost(`server process, ${count} deployments, ${live} live`, rssMiB, {
        limit: 300,
        unit: "MiB",
        decimals: 0,
      }),
      atMost(`table update, ${count} deployments`, median(ofUpdates("visibleMs")), ms(50)),
      atMost("longest wait of others meanwhile", median(ofUpdates("visitorsMs")), ms(50)),
    ],
  };
}
