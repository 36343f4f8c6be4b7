import { join, posix } from "node:path";
import type { BuildLog } from "../model.ts";
import { AppPaths } from "./app_paths.ts";
import { bundle, endBundler } from "./bundle.ts";
import { compileModule } from "./compile_module.ts";
import { type DenoOptions, installPackages, readModuleGraph } from "./deno_command.ts";
import type { FileView } from "./file_view.ts";
import { bundleImage, treeImage } from "./image_files.ts";
import type { ModuleGraph } from "./module_graph.ts";
import type { BuildRequest, BuiltImage } from "./protocol.ts";
import { prepareConfig } from "./tenant_config.ts";

/** What a build reports to, and what ends its processes. */
export interface PipelineOptions {
  log: (line: BuildLog) => void;
  /** What the build's Deno processes see of this machine. */
  view: FileView;
  signal: AbortSignal;
}

/**
 * Turns a snapshot's writable copy into what an isolate starts: a bundle, or the files as they are with their packages.
 *
 * @throws {BuildError} the deployment is wrong; the text says where in its own paths
 */
export async function buildImage(request: BuildRequest, options: PipelineOptions): Promise<BuiltImage> {
  const startedAt = performance.now();
  const say = (message: string) => options.log({ level: "info", message });
  const took = () => `in ${Math.round(performance.now() - startedAt)} ms`;
  const paths = new AppPaths(request.dir);
  const config = prepareConfig(request);
  const { placeDir, cacheDir, operatorFiles, deniedNetworks } = request;
  const deno = {
    paths,
    config,
    writable: [placeDir],
    cacheDir,
    operatorFiles,
    deniedNetworks,
    view: options.view,
    signal: options.signal,
  };
  const graph = await resolveModules(request, deno);
  const bundled = await bundle({ graph, paths, compilerOptions: config.compilerOptions });
  // It is not there: no deployment has that name. Through a link one could have the builder write into a package.
  Deno.mkdirSync(join(request.dir, ".isola"));
  if (bundled.obstacle === undefined) {
    await endBundler();
    const image = bundleImage({ request, config, graph, paths }, bundled);
    if (await compileModule(image.entry, { ...deno, v8Flags: request.v8Flags })) {
      const path = `${image.entry}.compiled`;
      image.files.push({ path, from: path });
    }
    say(`Bundled ${count(bundled.modules, "module")} ${took()}`);
    return image;
  }
  say(`Running the files as they are, not bundled: ${bundled.obstacle}`);
  if (!request.hasNodeModules) await installPackages(request.source.entrypoint, deno);
  const image = treeImage({ request, config, graph, paths }, bundled.obstacle);
  say(`Prepared ${count(image.files.length, "file")} ${took()}`);
  return image;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Packages are first downloaded, then resolved where they lie, as the program will at run time. */
async function resolveModules(request: BuildRequest, deno: DenoOptions): Promise<ModuleGraph> {
  const { source: { entrypoint }, configs, hasNodeModules } = request;
  const graph = await readModuleGraph(entrypoint, hasNodeModules ? "manual" : "auto", deno);
  graph.check();
  const isPackage = configs.some((path) => posix.basename(path) === "package.json");
  if (hasNodeModules || !(isPackage || graph.hasPackages())) return graph;
  await installPackages(entrypoint, deno);
  const resolved = await readModuleGraph(entrypoint, "manual", deno);
  resolved.check();
  return resolved;
}
