import type { Config } from "../config/config.ts";
import { openFilesLimit } from "../process/open_files_limit.ts";
import { commandOutput } from "./command_output.ts";
import type { Finding } from "./finding.ts";

const DENO = { major: 2, minor: 9 };
/** Two for each visitor, some for each isolate. */
const MIN_OPEN_FILES = 4096;
/** What a blank isolate takes. */
const ISOLATE_BYTES = 16 * 1024 ** 2;

/** The runtime, memory, and what this process may open. */
export async function checkMachine({ maxIsolates }: Config, memoryBytes: number): Promise<Finding[]> {
  return [checkDeno(), checkMemory(maxIsolates, memoryBytes), await checkOpenFiles(), await checkGit()];
}

function checkDeno(): Finding {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  const isTried = major === DENO.major && minor === DENO.minor;
  const message = `${Deno.version.deno} (V8 ${Deno.version.v8})`;
  if (isTried) return { check: "Deno", status: "ok", message };
  const advice =
    `Isola is tested with ${DENO.major}.${DENO.minor}: npm install -g deno@${DENO.major}.${DENO.minor}`;
  return { check: "Deno", status: "warning", message, advice };
}

function checkMemory(maxIsolates: number, memoryBytes: number): Finding {
  const message = `${(memoryBytes / 1024 ** 3).toFixed(1)} GiB, at most ${maxIsolates} isolates`;
  if (maxIsolates * ISOLATE_BYTES <= memoryBytes) return { check: "memory", status: "ok", message };
  const advice = "So many do not fit, even when they do nothing: lower ISOLA_MAX_ISOLATES";
  return { check: "memory", status: "warning", message, advice };
}

async function checkOpenFiles(): Promise<Finding> {
  const check = "open files";
  const limit = await openFilesLimit();
  if (limit === null) return { check, status: "ok", message: "no limit is known" };
  if (limit >= MIN_OPEN_FILES) return { check, status: "ok", message: `up to ${limit}` };
  const advice = "Raise it: LimitNOFILE=65536 of the systemd unit, or ulimit -n 65536";
  return { check, status: "warning", message: `up to ${limit}, about two for each visitor`, advice };
}

async function checkGit(): Promise<Finding> {
  const check = "git";
  const version = await commandOutput("git", ["--version"]);
  if (version !== null) return { check, status: "ok", message: version };
  const advice = "Install it to deploy by git push or from a repository: apt install git";
  return { check, status: "warning", message: "it is not there", advice };
}
