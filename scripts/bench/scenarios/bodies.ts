import { bodiesFindings, type BodiesRound } from "./bodies_report.ts";
import { Contenders } from "../subjects/contenders.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { withPeakRssBytes } from "../measures/memory_peak.ts";
import { BODIES_APP, type Subject } from "../subjects/subject.ts";
import { startDeno } from "../subjects/deno.ts";
import { startIsola } from "../subjects/isola.ts";
import { startNginx } from "../subjects/nginx.ts";
import { wrk } from "../measures/wrk.ts";

const ISOLA = "Isola";
const NGINX = "nginx → `deno serve`";
const BODY_BYTES = 1024 ** 2;
const CONNECTIONS = 8;

/** Streamed bodies of 1 MiB through Isola and nginx: each way by itself, and what memory of the server they take. */
export async function benchBodies({ rounds = 3, seconds = 2, progress }: BenchOptions): Promise<Findings> {
  await using contenders = new Contenders(progress);
  await contenders.start("`deno serve`", () => startDeno(BODIES_APP));
  await contenders.start(NGINX, () => startNginx({ app: BODIES_APP }));
  await contenders.start(ISOLA, () => startIsola({ app: BODIES_APP }));
  await contenders.measure("warm-up", 1, (subject) => bothWays(subject, 1));
  const found = await contenders.measure("1 MiB bodies", rounds, (subject) => bothWays(subject, seconds));
  return bodiesFindings({
    subjects: [...found].map(([name, rounds]) => ({ name, rounds })),
    names: { base: NGINX, ours: ISOLA },
    ...{ connections: CONNECTIONS, rounds, seconds, failures: contenders.failures },
  });
}

/** The first of a subject's processes is the server's. */
async function bothWays(subject: Subject, seconds: number): Promise<BodiesRound> {
  const load = { threads: 1, connections: CONNECTIONS, seconds };
  const [[down, up], peakBytes] = await withPeakRssBytes(subject.pids[0]!, async () => [
    await wrk(subject, load),
    await wrk(subject, { ...load, bodyBytes: BODY_BYTES }),
  ]);
  return {
    downloadMiBPerSecond: down!.requestsPerSecond,
    uploadMiBPerSecond: up!.requestsPerSecond,
    peakMiB: peakBytes / 1024 ** 2,
  };
}
