import { firstByteMs } from "../measures/first_byte.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { inParallel } from "../../in_parallel.ts";
import { type IsolaServer, startIsolaServer } from "../subjects/isola_server.ts";
import { throughput } from "../measures/load.ts";
import { prepareData, type PreparedDeployment } from "../subjects/prepared_data.ts";
import { untilQuiet } from "../measures/quiet.ts";
import { serverMemory } from "../measures/server_memory.ts";
import { measureUpdate } from "../measures/route_update.ts";
import { type RouteUpdate, scaleFindings, type ScaleStart } from "./scale_report.ts";
import { HELLO_APP, type Subject } from "../subjects/subject.ts";

const REGISTERED = 10_000;
const LIVE = 100;
/** First requests at once: the others would wait longer for a place than the server lets them. */
const PARALLEL_STARTS = 8;
const UPDATES = 10;
/** None of them is ended while it is measured. */
const ENV = { ISOLA_MAX_ISOLATES: `${2 * LIVE}`, ISOLA_IDLE_TIMEOUT_MS: "600000" };

/**
 * A server with 10,000 deployments, each the production of a project, beside one with a single deployment: its start, what a
 * request costs, its memory with 100 isolates, and a change of its routes.
 */
export async function benchScale({ rounds = 3, seconds = 2, progress }: BenchOptions): Promise<Findings> {
  const files = { "main.ts": await Deno.readTextFile(HELLO_APP) };
  await using few = await prepareData({ app: { files, copies: 1 } });
  progress(`register ${REGISTERED} deployments`);
  await using many = await prepareData({ app: { files, copies: REGISTERED } });
  const deployments = many.deployments.app;
  const starts: ScaleStart[] = [];
  for (let round = 1; round <= rounds; round++) {
    progress(`start, round ${round} of ${rounds}`);
    starts.push(await measureStart(many.dataDir, deployments.at(-round)!.host));
  }
  await using one = await startIsolaServer({ dataDir: few.dataDir, env: ENV });
  await using server = await startIsolaServer({ dataDir: many.dataDir, env: ENV });
  const subjects = [subjectOf(one, few.deployments.app[0]!), subjectOf(server, deployments[0]!)] as const;
  const cpuMicros = { one: [] as number[], registered: [] as number[], live: [] as number[] };
  const load = async (subject: Subject) => (await throughput(subject, seconds)).cpuMicrosPerRequest;
  for (const subject of subjects) await throughput(subject, seconds); // of caches and the JIT
  for (let round = 1; round <= rounds; round++) {
    progress(`requests, round ${round} of ${rounds}`);
    cpuMicros.one.push(await load(subjects[0]));
    cpuMicros.registered.push(await load(subjects[1]));
  }
  progress(`start ${LIVE} isolates`);
  await visitEach(server, deployments.slice(0, LIVE));
  for (let round = 1; round <= rounds; round++) cpuMicros.live.push(await load(subjects[1]));
  const updates: RouteUpdate[] = [];
  for (let update = 1; update <= UPDATES; update++) {
    progress(`change of the routes, ${update} of ${UPDATES}`);
    await untilQuiet([server.pid]);
    const { id, host } = deployments[update % LIVE]!;
    updates.push(
      await measureUpdate(server, {
        deploymentId: id,
        hostname: `shop-${update}.example.com`,
        liveHost: host,
      }),
    );
  }
  const results = { starts, cpuMicros, updates, ...await serverMemory(server.pid) };
  return scaleFindings(results, { registered: REGISTERED, live: LIVE });
}

async function measureStart(dataDir: string, host: string): Promise<ScaleStart> {
  const startedAt = performance.now();
  await using server = await startIsolaServer({ dataDir, env: ENV });
  const readyMs = performance.now() - startedAt;
  await firstByteMs(server.port, host);
  const servedMs = performance.now() - startedAt;
  await untilQuiet([server.pid]);
  return { readyMs, servedMs, ...await serverMemory(server.pid) };
}

function subjectOf({ pid, port }: IsolaServer, { host }: PreparedDeployment): Subject {
  return { port, host, pids: [pid], [Symbol.asyncDispose]: () => Promise.resolve() };
}

async function visitEach(server: IsolaServer, deployments: readonly PreparedDeployment[]): Promise<void> {
  await inParallel(deployments, PARALLEL_STARTS, async ({ host }) => {
    await firstByteMs(server.port, host);
  });
}
