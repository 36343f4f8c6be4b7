import { BareSandbox } from "../subjects/bare_sandbox.ts";
import { burstFindings } from "./burst_report.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { prepareData } from "../subjects/prepared_data.ts";
import { HELLO_APP } from "../subjects/subject.ts";

const AT_ONCE = 50;
/** As many as are asked for at once shall have room. */
const ENV = { ISOLA_MAX_ISOLATES: `${2 * AT_ONCE}` };

/**
 * When no warm sandbox is left: one first request to a server without a pool, in turns with a sandbox that is started by
 * hand; and 50 of them at once to a server with one.
 */
export async function benchBurst({ rounds = 20, progress }: BenchOptions): Promise<Findings> {
  const files = { "main.ts": await Deno.readTextFile(HELLO_APP) };
  await using data = await prepareData({
    alone: { files, copies: 1 + rounds },
    crowd: { files, copies: AT_ONCE },
  });
  const { alone, crowd } = data.deployments;
  await using bare = await BareSandbox.prepare();
  const [emptyMs, bareMs]: [number[], number[]] = [[], []];
  {
    await using isola = await startIsolaServer({
      dataDir: data.dataDir,
      warmPool: 0,
      env: ENV,
    });
    for (const [round, { host }] of alone.entries()) {
      progress(`empty pool, round ${round} of ${rounds}`);
      await untilRested(isola);
      const measured = [await firstByteMs(isola.port, host), 0];
      await untilRested(isola);
      measured[1] = await bare.firstByteMs();
      if (round === 0) continue; // It warms caches.
      emptyMs.push(measured[0]!);
      bareMs.push(measured[1]!);
    }
  }
  progress(`${AT_ONCE} at once`);
  await using isola = await startIsolaServer({ dataDir: data.dataDir, env: ENV });
  await untilRested(isola);
  const burstMs = await Promise.all(crowd.map(({ host }) => firstByteMs(isola.port, host)));
  return burstFindings({ emptyMs, bareMs, burstMs, cores: navigator.hardwareConcurrency });
}
