/**
 * `deno task bench`: Isola beside bare `Deno.serve` and nginx → `Deno.serve` on this machine, in one run. Rounds are
 * interleaved, so that a disturbance of the machine does not fall on one subject alone. Prints Markdown.
 */
import { parseArgs } from "node:util";
import { denoColdStartMs, isolaColdStartMs } from "./cold_start.ts";
import { latenciesMs, throughput } from "./load.ts";
import { report, type SubjectResults } from "./report.ts";
import { format, quantile } from "./statistics.ts";
import { startDeno } from "./subject_deno.ts";
import { startIsola } from "./subject_isola.ts";
import { startNginx } from "./subject_nginx.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    "cold-starts": { type: "string", default: "30" },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const coldStarts = Number(flags["cold-starts"]);

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

console.log(
  `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, load ${format(Deno.loadavg()[0]!, 1)}; \
wrk -t2 -c32, ${rounds} rounds of ${seconds} s, 12 request headers\n`,
);
console.log(report({ subjects: results, latencyRate, coldStartsMs }));

function progress(text: string): void {
  console.error(`bench: ${text}`);
}
