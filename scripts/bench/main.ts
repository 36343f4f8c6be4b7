/**
 * `deno task bench`: Isola beside bare `Deno.serve` and nginx → `Deno.serve` on this machine, then a good tenant of Isola
 * beside bad ones. Rounds are interleaved, so that a disturbance of the machine does not fall on one subject alone. Prints
 * Markdown. `main.ts peers` and `main.ts neighbour` run one of the two.
 */
import { parseArgs } from "node:util";
import { denoColdStartMs, isolaColdStartMs } from "./cold_start.ts";
import { latenciesMs, throughput } from "./load.ts";
import { benchNeighbours } from "./neighbour.ts";
import { report, type SubjectResults } from "./report.ts";
import { format, quantile } from "./statistics.ts";
import { startDeno } from "./subject_deno.ts";
import { startIsola } from "./subject_isola.ts";
import { startNginx } from "./subject_nginx.ts";

const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    seconds: { type: "string" },
    "cold-starts": { type: "string", default: "30" },
  },
});
const BENCHMARKS: Record<string, () => Promise<string>> = {
  peers: () =>
    benchPeers(Number(flags.rounds ?? 5), Number(flags.seconds ?? 4), Number(flags["cold-starts"])),
  neighbour: () =>
    benchNeighbours({ rounds: Number(flags.rounds ?? 3), seconds: Number(flags.seconds ?? 3), progress }),
};

const unknown = positionals.find((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown !== undefined) throw new RangeError(`Cannot run benchmark "${unknown}": not peers or neighbour`);
const load = format(Deno.loadavg()[0]!, 1);
console.log(`Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, load ${load}`);
for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHMARKS)) {
  console.log(`\n${await BENCHMARKS[name]!()}`);
}

async function benchPeers(rounds: number, seconds: number, coldStarts: number): Promise<string> {
  await using deno = await startDeno();
  await using nginx = await startNginx();
  await using isola = await startIsola();
  const subjects = [deno, nginx, isola];
  const results: SubjectResults[] = subjects.map(({ name }) => ({ name, throughput: [], latenciesMs: [] }));

  for (const subject of subjects) await throughput(subject, 1); // warms caches and the JIT
  for (let round = 1; round <= rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      progress(`throughput, round ${round} of ${rounds}, ${subject.name}`);
      results[index]!.throughput.push(await throughput(subject, seconds));
    }
  }

  const slowest = Math.min(
    ...results.map((result) => quantile(result.throughput.map((one) => one.requestsPerSecond), 0.5)),
  );
  const latencyRate = Math.round(slowest / 2);
  for (let round = 1; round <= rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      progress(`latency, round ${round} of ${rounds}, ${subject.name}`);
      const measured = await latenciesMs(subject, latencyRate, seconds);
      results[index]!.latenciesMs = results[index]!.latenciesMs.concat(measured);
    }
  }

  const coldStartsMs: Record<string, number[]> = {
    "`deno run`, a new process": [],
    "Isola, a warm sandbox": [],
  };
  for (let i = 1; i <= coldStarts; i++) {
    progress(`cold start ${i} of ${coldStarts}`);
    coldStartsMs["`deno run`, a new process"]!.push(await denoColdStartMs());
    coldStartsMs["Isola, a warm sandbox"]!.push(await isolaColdStartMs(isola));
  }
  const tables = report({ subjects: results, latencyRate, coldStartsMs });
  return `wrk -t2 -c32, ${rounds} rounds of ${seconds} s, 12 request headers\n\n${tables}`;
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}
