import type { BenchOptions, Findings } from "../findings.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { type Throughput, throughput } from "../measures/load.ts";
import { run } from "../measures/run.ts";
import { type IsolaServer, startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { prepareData } from "../subjects/prepared_data.ts";
import { startSubhoster, type Subhoster } from "../subjects/relay.ts";
import { HELLO_APP } from "../subjects/subject.ts";
import { type SubhostedStarts, subhostingFindings } from "./subhosting_report.ts";

/** Starts before those that count: of caches and the JIT. */
const WARM_UP = 3;
const BUNDLE_TIMEOUT_MS = 60_000;
/** So that no more and more isolates have to be watched. */
const IDLE_TIMEOUT_MS = "500";
const HONO = `import { Hono } from "npm:hono@^4.13.19";
export default new Hono().get("/", (c) => c.text("Hello, world"));
`;

/**
 * What a deployment that is at its subhoster's origin costs beside one in the store: its cold start when it is kept and when
 * it is not, and requests that come with a token.
 */
export async function benchSubhosting(
  { rounds = 40, seconds = 4, progress }: BenchOptions,
): Promise<Findings> {
  const copies = WARM_UP + rounds;
  progress("build the apps");
  const hello = await Deno.readTextFile(HELLO_APP);
  await using data = await prepareData({
    hello: { files: { "main.ts": hello }, copies },
    hono: { files: { "main.ts": HONO }, copies },
  });
  await using subhoster = await startSubhoster(data.dataDir, { hello, hono: await bundled(HONO) });
  const options = {
    dataDir: data.dataDir,
    env: { ...subhoster.env, ISOLA_IDLE_TIMEOUT_MS: IDLE_TIMEOUT_MS },
  };
  progress("keep deployments");
  {
    await using isola = await startIsolaServer(options);
    for (let round = 0; round < copies; round++) {
      for (const app of ["hello", "hono"]) await relayedMs(isola, subhoster, `${app}-kept-${round}`);
    }
    await untilRested(isola);
  }
  await using isola = await startIsolaServer(options);
  const starts = { hello: noStarts(), hono: noStarts() };
  for (let round = 0; round < copies; round++) {
    if (round % 10 === 0) progress(`cold starts, round ${round} of ${copies}`);
    for (const app of ["hello", "hono"] as const) {
      const { host, id } = data.deployments[app][round]!;
      await untilRested(isola);
      const ordinary = await firstByteMs(isola.port, host);
      await isola.client.remove(id);
      await untilRested(isola);
      const kept = await relayedMs(isola, subhoster, `${app}-kept-${round}`);
      await untilRested(isola);
      const first = await relayedMs(isola, subhoster, `${app}-first-${round}`);
      const rpc = await subhoster.bootMs(`${app}-first-${round}`);
      if (round < WARM_UP) continue;
      const found = starts[app];
      found.ordinary.push(ordinary);
      found.kept.push(kept);
      found.first.push(first);
      found.rpc.push(rpc);
    }
  }
  const load = await benchLoad(isola, subhoster, { seconds, progress });
  return subhostingFindings({ ...starts, ...load }, await isola.client.level());
}

/** One live isolate of each kind, in turns. */
async function benchLoad(
  isola: IsolaServer,
  subhoster: Subhoster,
  { seconds, progress }: { seconds: number; progress: BenchOptions["progress"] },
) {
  const projectId = await isola.client.createProject("loaded");
  await isola.client.deploy(projectId, { "main.ts": await Deno.readTextFile(HELLO_APP) });
  const ordinary = {
    port: isola.port,
    host: "loaded.localhost",
    pids: [isola.pid],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const relayed = { ...ordinary, headers: await subhoster.headers("hello-loaded") };
  const load: Record<"ordinary" | "relayed", Throughput[]> = { ordinary: [], relayed: [] };
  for (let round = 0; round < 3; round++) {
    progress(`load, round ${round} of 3`);
    load.ordinary.push(await throughput(ordinary, seconds));
    load.relayed.push(await throughput(relayed, seconds));
  }
  return load;
}

async function relayedMs(isola: IsolaServer, subhoster: Subhoster, deploymentId: string): Promise<number> {
  return await firstByteMs(isola.port, "localhost", await subhoster.headers(deploymentId));
}

function noStarts(): SubhostedStarts {
  return { ordinary: [], kept: [], first: [], rpc: [] };
}

/** As a subhoster would bundle it. */
async function bundled(source: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "isola-bench-" });
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, source);
    const args = ["bundle", "--quiet", "--no-lock", "-o", `${folder}/out.js`, `${folder}/main.ts`];
    await run(Deno.execPath(), args, BUNDLE_TIMEOUT_MS);
    return await Deno.readTextFile(`${folder}/out.js`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
