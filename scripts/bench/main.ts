/**
 * `deno task bench`: Isola beside its peers on this machine, and beside what it promises. Prints Markdown; the last table says which
 * promises are met. `main.ts NAME…` runs some of the benchmarks, `--rounds` and `--seconds` say how much of each.
 */
import { parseArgs } from "node:util";
import { benchBodies } from "./scenarios/bodies.ts";
import { benchBurst } from "./scenarios/burst.ts";
import { benchCertificates } from "./scenarios/certificates.ts";
import { benchCold } from "./scenarios/cold.ts";
import { benchDeploy } from "./scenarios/deploy.ts";
import { type BenchOptions, type Findings, type Verdict, verdictTable } from "./findings.ts";
import { benchLarge } from "./scenarios/large.ts";
import { benchLogs } from "./scenarios/logs.ts";
import { machine } from "./machine.ts";
import { benchMemory } from "./scenarios/memory.ts";
import { benchNeighbours } from "./neighbour/neighbour.ts";
import { benchPeers } from "./scenarios/peers.ts";
import { benchScale } from "./scenarios/scale.ts";
import { benchSubhosting } from "./scenarios/subhosting.ts";
import { benchStreamed } from "./scenarios/streamed.ts";
import { benchTls } from "./scenarios/tls.ts";

const BENCHMARKS: Record<string, (options: BenchOptions) => Promise<Findings>> = {
  peers: benchPeers,
  tls: benchTls,
  bodies: benchBodies,
  streamed: benchStreamed,
  certificates: benchCertificates,
  neighbour: benchNeighbours,
  cold: benchCold,
  large: benchLarge,
  burst: benchBurst,
  memory: benchMemory,
  scale: benchScale,
  deploy: benchDeploy,
  logs: benchLogs,
  subhosting: benchSubhosting,
};

const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { rounds: { type: "string" }, seconds: { type: "string" } },
});
const names = Object.keys(BENCHMARKS);
const unknown = positionals.find((name) => !names.includes(name));
if (unknown !== undefined) {
  throw new RangeError(`Cannot run benchmark "${unknown}": not one of ${names.join(", ")}`);
}
const options = {
  rounds: count("rounds"),
  seconds: count("seconds"),
  progress: (text: string) => console.error(`bench: ${text}`),
};

console.log(`${machine()}\n`);
const verdicts: Verdict[] = [];
for (const name of positionals.length > 0 ? positionals : names) {
  try {
    const findings = await BENCHMARKS[name]!(options);
    console.log(`${findings.markdown}\n`);
    verdicts.push(...findings.verdicts);
  } catch (error) {
    console.error(error);
    console.log(`Not measured: ${name}: ${(error as Error).message}\n`);
    Deno.exitCode = 1;
  }
}
if (verdicts.length > 0) console.log(`### What is promised\n\n${verdictTable(verdicts)}`);

function count(flag: "rounds" | "seconds"): number | undefined {
  const text = flags[flag];
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new RangeError(`Cannot use --${flag} "${text}": not a whole number from 1`);
  }
  return Number(text);
}
