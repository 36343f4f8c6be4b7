/**
 * Runs all tests in as many processes at once as there are cores. Each process runs its files one after the other, because
 * tests look at what a whole process has: its memory, environment, umask, children. With arguments: `deno test` with these.
 */
import { availableParallelism } from "node:os";
import { inParallel } from "./in_parallel.ts";
import { sourceFiles } from "./source_files.ts";

/** Files of one process: enough that starting it does not count, few enough that the last ones end together. */
const FILES_AT_ONCE = 12;
/** Of one process. */
const TIMEOUT_MS = 10 * 60_000;
// deno-lint-ignore no-control-regex
const COLORS = /\x1b\[[\d;]*m/g;
const TOTALS =
  /^(?:ok|FAILED) \| (\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed(?: \((\d+) steps?\))?(?: \| (\d+) ignored)?/m;

interface Totals {
  passed: number;
  failed: number;
  ignored: number;
  /** What `deno test` says of those that failed. */
  failures: string;
}

/** Neighbours in a folder take about as long: they are spread over the groups. */
function groupsOf(files: readonly string[]): string[][] {
  const count = Math.ceil(files.length / FILES_AT_ONCE);
  return Array.from({ length: count }, (_, group) => files.filter((_, index) => index % count === group));
}

async function run(files: readonly string[]): Promise<Totals> {
  const command = new Deno.Command(Deno.execPath(), {
    // Types are checked of all files together, by `deno check`.
    args: ["test", "-A", "--no-check", ...files],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  console.log(text.trimEnd());
  const [, passed, , failed, , ignored] = TOTALS.exec(text.replace(COLORS, "")) ?? [];
  // One that ended before its last test has failed, whatever it said.
  const least = success ? 0 : 1;
  return {
    passed: Number(passed ?? 0),
    failed: Math.max(least, Number(failed ?? 0)),
    ignored: Number(ignored ?? 0),
    failures: success ? "" : text.slice(Math.max(0, text.indexOf(" ERRORS "))),
  };
}

async function runAll(): Promise<number> {
  const startedAt = performance.now();
  const total: Totals = { passed: 0, failed: 0, ignored: 0, failures: "" };
  const tests = [...sourceFiles(".")].filter((path) => path.endsWith("_test.ts"));
  await inParallel(groupsOf(tests.sort()), availableParallelism(), async (files) => {
    const { passed, failed, ignored, failures } = await run(files);
    total.failures += failures;
    total.passed += passed;
    total.failed += failed;
    total.ignored += ignored;
  });
  if (total.failures !== "") console.log(`\nAgain, what failed:\n${total.failures}`);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const verdict = total.failed === 0 ? "ok" : "FAILED";
  console.log(
    `${verdict} | ${total.passed} passed | ${total.failed} failed | ${total.ignored} ignored (${seconds}s)`,
  );
  return total.failed === 0 ? 0 : 1;
}

if (Deno.args.length === 0) Deno.exit(await runAll());
const { code } = await new Deno.Command(Deno.execPath(), { args: ["test", "-A", ...Deno.args] }).spawn()
  .status;
Deno.exit(code);
