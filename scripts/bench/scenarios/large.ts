import { BundleRuns } from "../subjects/bundle_runs.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { largeApp } from "../subjects/large_app.ts";
import { largeFindings, type LargeResults } from "./large_report.ts";
import { prepareData } from "../subjects/prepared_data.ts";

/** Deno takes 600 MiB for a moment to look through a module of 20 MB for imports; the server's default is 512. */
const MEMORY_MB = 1024;

/**
 * The first request to an app with a module graph of 20 MB that the server never started, a full warm pool waiting, in turns
 * with `deno run` of the bundle which the build made of it: with Deno's code cache of an earlier run, and without any.
 */
export async function benchLarge({ rounds = 5, progress }: BenchOptions): Promise<Findings> {
  const files = largeApp();
  progress("build an app of 20 MB");
  await using data = await prepareData({
    large: { files, copies: 1 + rounds, limits: { memoryMb: MEMORY_MB } },
  });
  await using runs = await BundleRuns.prepare(data.dataDir, data.deployments.large[0]!.id);
  await using isola = await startIsolaServer(data);
  const results: LargeResults = { isolaMs: [], runMs: [], firstRunMs: [] };
  for (const [round, { host, id }] of data.deployments.large.entries()) {
    progress(`20 MB, round ${round} of ${rounds}`);
    await untilRested(isola);
    const isolaMs = await firstByteMs(isola.port, host);
    await isola.client.remove(id);
    await untilRested(isola);
    const [firstRunMs, runMs] = [await runs.firstByteMs("empty"), await runs.firstByteMs("kept")];
    if (round === 0) continue; // It fills the caches.
    results.isolaMs.push(isolaMs);
    results.firstRunMs.push(firstRunMs);
    results.runMs.push(runMs);
  }
  const bytes = Object.values(files).reduce((sum, text) => sum + text.length, 0);
  return largeFindings(results, { modules: Object.keys(files).length, bytes });
}
