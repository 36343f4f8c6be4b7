import { SnapshotError } from "../snapshot/snapshot_error.ts";

/** Which paths are wanted, by globs of deno.json. */
export interface PathChoice {
  paths: readonly string[];
  /** Empty = everything. */
  include: readonly string[];
  exclude: readonly string[];
}

/** 100,000 paths and ten globs take 0.2 s. */
const TIMEOUT_MS = 5000;

/**
 * Applies the globs of a commit. They become regular expressions, of which some would not end in this life, and which
 * `Worker.terminate()` does not interrupt (Deno 2.9): they have a process of their own, which is killed then.
 *
 * @returns a mark for each path: whether it is chosen
 * @throws {SnapshotError} They cannot be applied, or take too long.
 */
export async function choosePaths(choice: PathChoice, timeoutMs = TIMEOUT_MS): Promise<boolean[]> {
  if (choice.include.length === 0 && choice.exclude.length === 0) return choice.paths.map(() => true);
  const late = AbortSignal.timeout(timeoutMs);
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", import.meta.resolve("./choose_paths_main.ts")],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const kill = () => process.kill("SIGKILL");
  late.addEventListener("abort", kill);
  try {
    const [{ success, stdout }] = await Promise.all([
      process.output(),
      // One that is killed has not read all of it.
      new Blob([JSON.stringify(choice)]).stream().pipeTo(process.stdin).catch(() => {}),
    ]);
    if (success) return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    late.removeEventListener("abort", kill);
  }
  const reason = late.aborted ? ` within ${timeoutMs / 1000} s` : "";
  throw new SnapshotError(
    `Cannot apply deploy.include and deploy.exclude of deno.json${reason}: use simpler globs`,
  );
}
