import type { AppPaths } from "./app_paths.ts";
import { BuildError } from "./build_error.ts";
import { type DenoInfo, ModuleGraph } from "./module_graph.ts";
import type { TenantConfig } from "./tenant_config.ts";

/** What a Deno process in the build directory works with. */
export interface DenoOptions {
  paths: AppPaths;
  config: TenantConfig;
  /** Its `DENO_DIR`. */
  cacheDir: string;
  /** Ends it. */
  signal: AbortSignal;
}

/** `auto` downloads packages into `node_modules`, never running their scripts; `manual` resolves in what is there. */
export type NodeModules = "auto" | "manual";

/**
 * Asks Deno what every import of the program leads to (`deno info --json`).
 *
 * @throws {BuildError} Deno refuses the configuration, or a package cannot be had
 */
export async function readModuleGraph(
  entrypoint: string,
  nodeModules: NodeModules,
  options: DenoOptions,
): Promise<ModuleGraph> {
  const output = await run(
    ["info", "--json", "--unstable-raw-imports"],
    nodeModules,
    [`./${entrypoint}`],
    options,
  );
  return new ModuleGraph(JSON.parse(output) as DenoInfo, options.paths);
}

/**
 * Downloads every package that the configuration names, imported or not (`deno install`).
 *
 * @throws {BuildError} a package cannot be had
 */
export async function installPackages(options: DenoOptions): Promise<void> {
  await run(["install"], "auto", [], options);
}

async function run(
  command: string[],
  nodeModules: NodeModules,
  args: string[],
  options: DenoOptions,
): Promise<string> {
  const { paths, config: { path, lock }, cacheDir, signal } = options;
  const lockArgs = lock ? [`--lock=${lock.path}`, ...(lock.frozen ? ["--frozen"] : [])] : ["--no-lock"];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...command, `--config=${path}`, ...lockArgs, `--node-modules-dir=${nodeModules}`, ...args],
    cwd: paths.dir,
    env: { DENO_DIR: cacheDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).output();
  if (success) return decode(stdout);
  const text = decode(stderr);
  const message = text.slice(text.lastIndexOf("error: ") + "error: ".length).split("\n\nStack backtrace")[0]!;
  throw new BuildError(paths.scrub(message).trim().replace(/\.$/, ""));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
