import { setTimeout as delay } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { type DisturbanceTimes, logFindings, type LogReading } from "./logs_report.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { TOKEN } from "../subjects/isola_client.ts";
import { type IsolaServer, startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { HELLO_APP } from "../subjects/subject.ts";

const PROJECT = "logged";
const LINES = 1_000_000;
const READERS = 4;
/** Each request finds its isolate gone. */
const IDLE_TIMEOUT_MS = 20;
const COLD_EVERY_MS = 250;
const HEALTH_EVERY_MS = 5;

/** What the thread that starts isolates feels while a million log lines are exported, and searched by several. */
export async function benchLogs({ seconds = 5, progress }: BenchOptions): Promise<Findings> {
  await using preparing = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  preparing.defer(() => Deno.remove(dataDir, { recursive: true }));
  progress(`write ${LINES} lines`);
  const id = await deployHello(dataDir);
  const server = preparing.use(await startWithLines(dataDir, id));
  const path = `${server.client.url}/v1/deployments/${id}/app_logs?since=2000-01-01T00:00:00Z`;
  const readings: Record<LogReading, () => Promise<unknown>> = {
    none: () => delay(seconds * 1000),
    export: () => read(`${path}&limit=all&order=asc`),
    search: () =>
      Promise.all(Array.from({ length: READERS }, (_, reader) => read(`${path}&q=nothing${reader}`))),
  };
  const times: DisturbanceTimes[] = [];
  for (const [reading, work] of Object.entries(readings)) {
    progress(`read: ${reading}`);
    await untilRested(server);
    times.push({ reading: reading as LogReading, ...await during(work, server, `${PROJECT}.localhost`) });
  }
  return logFindings(times);
}

/** Resolves with the deployment's id. */
async function deployHello(dataDir: string): Promise<string> {
  await using server = await startIsolaServer({ dataDir });
  const projectId = await server.client.createProject(PROJECT);
  return await server.client.deploy(projectId, { "main.ts": await Deno.readTextFile(HELLO_APP) });
}

/** The server has made the table; it is filled while none runs. */
async function startWithLines(dataDir: string, deploymentId: string): Promise<IsolaServer> {
  using database = new DatabaseSync(`${dataDir}/logs.db`);
  database.prepare(
    `WITH numbers (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM numbers LIMIT ${LINES})
     INSERT INTO app_logs (deployment_id, time, level, region, message)
     SELECT ?, ? + value, 'info', 'local', 'GET /orders/' || value || ' answered 200 in ' || value % 97 || ' ms'
     FROM numbers`,
  ).run(deploymentId, Date.now() - LINES);
  return await startIsolaServer({ dataDir, env: { ISOLA_IDLE_TIMEOUT_MS: String(IDLE_TIMEOUT_MS) } });
}

async function read(url: string): Promise<void> {
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${TOKEN}`, accept: "application/x-ndjson" },
  });
  if (!response.ok) throw new Error(`Cannot read log: ${response.status} ${await response.text()}`);
  for await (const _ of response.body!);
}

/** Milliseconds of cold starts, and of answers of the control thread, while something is done. */
async function during(
  work: () => Promise<unknown>,
  { client, port }: IsolaServer,
  host: string,
): Promise<Omit<DisturbanceTimes, "reading">> {
  const startedAt = performance.now();
  const over = new AbortController();
  const worked = work().finally(() => over.abort());
  const [coldMs, healthMs] = await Promise.all([
    repeated(() => firstByteMs(port, host), COLD_EVERY_MS, over.signal),
    repeated(() => client.health(), HEALTH_EVERY_MS, over.signal),
    worked,
  ]);
  return { elapsedMs: performance.now() - startedAt, coldMs, healthMs };
}

async function repeated(work: () => Promise<unknown>, everyMs: number, over: AbortSignal): Promise<number[]> {
  const elapsedMs: number[] = [];
  while (!over.aborted) {
    const startedAt = performance.now();
    await work();
    elapsedMs.push(performance.now() - startedAt);
    await delay(everyMs);
  }
  return elapsedMs;
}
