import type { AppPaths } from "./app_paths.ts";
import { BuildError } from "./build_error.ts";
import type { FileView } from "./file_view.ts";
import { type DenoInfo, ModuleGraph } from "./module_graph.ts";
import type { TenantConfig } from "./tenant_config.ts";

/** What a Deno process in the build directory works with. */
export interface DenoOptions {
  paths: AppPaths;
  config: TenantConfig;
  /** All that it may write; absolute. */
  writable: readonly string[];
  /** Its `DENO_DIR`. */
  cacheDir: string;
  /** Files that it may read elsewhere. */
  operatorFiles: readonly string[];
  /**
   * Where no import may lead. Deno checks every address that a name resolves to, also after a redirect; IPv6 addresses are
   * refused by {@linkcode ModuleGraph}.
   */
  deniedNetworks: readonly string[];
  view: FileView;
  /** Ends it. */
  signal: AbortSignal;
}

const MAX_ERROR_LINES = 6;

/**
 * `auto` downloads packages into `node_modules`, never running their scripts; `manual` resolves in what is there; `none` keeps
 * them in the cache.
 */
export type NodeModules = "auto" | "manual" | "none";

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
    ["info", "--json"],
    nodeModules,
    [`./${entrypoint}`],
    options,
  );
  return new ModuleGraph(JSON.parse(output) as DenoInfo, options.paths);
}

/**
 * Downloads the packages that the entry point imports or the configuration names, and checks their integrity:
 * `deno info` does not say when it could not.
 *
 * @throws {BuildError} a package cannot be had
 */
export async function installPackages(entrypoint: string, options: DenoOptions): Promise<void> {
  await run(["install"], "auto", ["--entrypoint", `./${entrypoint}`], options);
}

/**
 * Downloads the packages that the configuration names, those for development as well, and others.
 *
 * @param specifiers Others, such as `npm:vite@6`.
 * @throws {BuildError} a package cannot be had
 */
export async function installTools(specifiers: readonly string[], options: DenoOptions): Promise<void> {
  await run(["install"], "auto", [], options);
  // The lock file does not have them.
  const unlocked = { ...options, config: { ...options.config, lock: null } };
  if (specifiers.length > 0) await run(["cache"], "none", [...specifiers], unlocked);
}

async function run(
  command: string[],
  nodeModules: NodeModules,
  args: string[],
  options: DenoOptions,
): Promise<string> {
  const { paths, config: { path, lock }, writable, cacheDir, operatorFiles, deniedNetworks, view, signal } =
    options;
  const lockArgs = lock ? [`--lock=${lock.path}`, ...(lock.frozen ? ["--frozen"] : [])] : ["--no-lock"];
  const enclosed = view({
    path: Deno.execPath(),
    args: [
      ...command,
      "--unstable-raw-imports",
      "--allow-import",
      `--deny-import=${deniedNetworks.join(",")}`,
      `--config=${path}`,
      ...lockArgs,
      `--node-modules-dir=${nodeModules}`,
      ...args,
    ],
  }, { readable: operatorFiles, writable });
  const { success, stdout, stderr } = await new Deno.Command(enclosed.path, {
    args: enclosed.args,
    cwd: paths.dir,
    env: { DENO_DIR: cacheDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).output();
  if (success) return decode(stdout);
  throw new BuildError(paths.scrub(errorOf(decode(stderr))));
}

/** The error at the end of Deno's output and its first causes. */
function errorOf(stderr: string): string {
  if (/has overflowed its stack/.test(stderr)) return "Cannot read the program: it is nested too deeply";
  const error = stderr.slice(stderr.lastIndexOf("error: ") + "error: ".length).split(
    "\n\nStack backtrace",
  )[0]!;
  return error.split("\n", MAX_ERROR_LINES).join("\n").trim().replace(/\.$/, "");
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
