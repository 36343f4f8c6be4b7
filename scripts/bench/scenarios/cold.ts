import { coldFindings, type ColdResults } from "./cold_report.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import type { AppFiles } from "../subjects/isola_client.ts";
import { type IsolaServer, startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { prepareData, type PreparedDeployment } from "../subjects/prepared_data.ts";
import { HELLO_APP, type Subject } from "../subjects/subject.ts";
import { startWorkerdLoader } from "../subjects/workerd.ts";

/** Starts before those that count: of caches and the JIT. */
const WARM_UP = 5;
const HONO_APP = new URL("../../../examples/hono/", import.meta.url);
const HONO_FILES = ["deno.json", "main.ts", "static/index.html", "static/style.css"];

/**
 * The first request to a deployment that the server never started, a full warm pool waiting: the hello app and a hono app on
 * Isola, and the hello app on workerd, each in turn, each after the machine has come to rest.
 */
export async function benchCold({ rounds = 60, progress }: BenchOptions): Promise<Findings> {
  const copies = WARM_UP + rounds;
  progress("build the apps");
  await using data = await prepareData({
    hello: { files: { "main.ts": await Deno.readTextFile(HELLO_APP) }, copies },
    hono: { files: await readFiles(HONO_APP, HONO_FILES), copies },
  });
  await using isola = await startIsolaServer(data);
  await using workerd = await startWorkerdLoader();
  const results: ColdResults = { hello: [], hono: [], workerd: [] };
  for (let round = 0; round < copies; round++) {
    if (round % 10 === 0) progress(`cold starts, round ${round} of ${copies}`);
    const measured = {
      hello: await coldStartMs(isola, workerd, data.deployments.hello[round]!),
      workerd: await loaderMs(isola, workerd, `app-${round}.localhost`),
      hono: await coldStartMs(isola, workerd, data.deployments.hono[round]!),
    };
    if (round < WARM_UP) continue;
    results.hello.push(measured.hello);
    results.workerd.push(measured.workerd);
    results.hono.push(measured.hono);
  }
  return coldFindings(results, await isola.client.level());
}

/** It is deleted afterwards, so that no more and more isolates have to be watched. */
async function coldStartMs(
  isola: IsolaServer,
  workerd: Subject,
  { host, id }: PreparedDeployment,
): Promise<number> {
  await untilRested(isola, workerd.pids);
  const elapsedMs = await firstByteMs(isola.port, host);
  await isola.client.remove(id);
  return elapsedMs;
}

async function loaderMs(isola: IsolaServer, workerd: Subject, host: string): Promise<number> {
  await untilRested(isola, workerd.pids);
  return await firstByteMs(workerd.port, host);
}

async function readFiles(folder: URL, paths: readonly string[]): Promise<AppFiles> {
  const files: Record<string, string> = {};
  for (const path of paths) files[path] = await Deno.readTextFile(new URL(path, folder));
  return files;
}
