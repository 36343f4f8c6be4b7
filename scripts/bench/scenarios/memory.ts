import type { BenchOptions, Findings } from "../findings.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { type IsolaServer, startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { memoryFindings } from "./memory_report.ts";
import { prepareData, type PreparedDeployment } from "../subjects/prepared_data.ts";
import { privateDirtyBytes } from "../measures/private_dirty.ts";
import { HELLO_APP } from "../subjects/subject.ts";

const ISOLATES = 20;
const REQUESTS = 10;
const REST_MS = 10_000;

/**
 * The memory that one more idle isolate takes, of all processes that run for it: by how much 20 of them, each after 10
 * requests and 10 s of rest, have more than the server's sandboxes had before.
 */
export async function benchMemory({ rounds = 1, progress }: BenchOptions): Promise<Findings> {
  const files = { "main.ts": await Deno.readTextFile(HELLO_APP) };
  await using data = await prepareData({ app: { files, copies: 1 + ISOLATES } });
  const mebibytes = { process: [] as number[], shared: [] as number[] };
  for (let round = 1; round <= rounds; round++) {
    for (const isolation of ["process", "shared"] as const) {
      progress(`memory, round ${round} of ${rounds}, ${isolation}`);
      await using server = await startIsolaServer({
        dataDir: data.dataDir,
        env: { ISOLA_ISOLATION: isolation, ISOLA_MAX_ISOLATES: `${2 * ISOLATES}` },
      });
      mebibytes[isolation].push(await isolateMiB(server, data.deployments.app));
    }
  }
  return memoryFindings(mebibytes, { isolates: ISOLATES, requests: REQUESTS, restMs: REST_MS });
}

/** The first isolate is there before: of what isolates share, it brings the most. */
async function isolateMiB(
  server: IsolaServer,
  [first, ...others]: readonly PreparedDeployment[],
): Promise<number> {
  await visit(server, [first!]);
  const before = await restingBytes(server);
  await visit(server, others);
  const after = await restingBytes(server);
  return (after - before) / others.length / 1024 ** 2;
}

async function visit({ port }: IsolaServer, deployments: readonly PreparedDeployment[]): Promise<void> {
  for (const { host } of deployments) {
    for (let request = 0; request < REQUESTS; request++) await firstByteMs(port, host);
  }
}

/** Of all processes that the server has started. */
async function restingBytes(server: IsolaServer): Promise<number> {
  await untilRested(server);
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  return privateDirtyBytes(server.pid);
}
