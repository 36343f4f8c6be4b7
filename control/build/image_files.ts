import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AppPaths } from "./app_paths.ts";
import { BuildError } from "./build_error.ts";
import { BUNDLE_MAP_PATH, BUNDLE_PATH } from "./esbuild_plugin.ts";
import type { ModuleGraph } from "./module_graph.ts";
import { prefixModule } from "./module_prefix.ts";
import { packageFiles } from "./package_files.ts";
import { PackageTypes } from "./package_types.ts";
import type { BuildRequest, BuiltFile, BuiltImage } from "./protocol.ts";
import type { TenantConfig } from "./tenant_config.ts";

/** What was found out about a deployment. */
export interface ImageInputs {
  request: BuildRequest;
  config: TenantConfig;
  graph: ModuleGraph;
  paths: AppPaths;
}

/** An image of one module, with the packages only if they are read at run time. */
export function bundleImage(
  inputs: ImageInputs,
  { code, map, needsPackages }: { code: string; map: string; needsPackages: boolean },
): BuiltImage {
  const { dir } = inputs.request;
  Deno.writeTextFileSync(join(dir, BUNDLE_PATH), code);
  Deno.writeTextFileSync(join(dir, BUNDLE_MAP_PATH), map);
  const files: BuiltFile[] = [BUNDLE_PATH, BUNDLE_MAP_PATH].map((path) => ({ path, from: path }));
  if (needsPackages) files.push(...packagesOf(inputs));
  return { mode: "bundle", entry: BUNDLE_PATH, files };
}

/**
 * An image of the files as they are: with the configuration that they were resolved with, their packages, and an entry
 * point that knows that it is one (a module that a Worker imports is never the main one).
 *
 * @throws {BuildError} a module is not one of the deployment's files
 */
export function treeImage(inputs: ImageInputs, reason: string): BuiltImage {
  const { request: { dir, source: { entrypoint } }, config, graph } = inputs;
  for (const { specifier } of graph.modules) {
    if (!/^(?:https?|jsr):/.test(specifier)) continue;
    throw new BuildError(
      `Cannot load "${specifier}" from the deployment's files, and a bundle will not do: ${reason}`,
    );
  }
  const files: BuiltFile[] = config.rewritten.map((path) => ({ path, from: path }));
  const entry = mainModule(inputs);
  if (entry !== undefined) {
    Deno.writeTextFileSync(join(dir, ".isola/entry"), entry);
    files.push({ path: entrypoint, from: ".isola/entry" });
  }
  return {
    mode: "tree",
    entry: entrypoint,
    files: [...files, ...packagesOf(inputs)],
    config: config.path,
    reason,
  };
}

function mainModule({ request: { dir, source: { entrypoint } } }: ImageInputs): string | undefined {
  const path = join(dir, entrypoint);
  const source = Deno.readTextFileSync(path);
  const isEsm = new PackageTypes(dir).isEsm(path) ?? /^\s*(?:import|export)\b/m.test(source);
  const asks = isEsm ? /\bimport\.meta\b/ : /\brequire\.main\b/;
  const statement = isEsm ? "import.meta.main = true;" : "require.main = module;";
  return asks.test(source) ? prefixModule(source, statement) : undefined;
}

function packagesOf({ request: { dir, hasNodeModules }, config, graph, paths }: ImageInputs): BuiltFile[] {
  if (hasNodeModules) return [];
  const locals = [...graph.modules].filter(({ specifier }) => specifier.startsWith("file:"));
  return packageFiles({
    dir,
    folders: config.packageFolders,
    used: locals.map(({ specifier }) => paths.relative(fileURLToPath(specifier))),
    development: config.development,
  });
}
