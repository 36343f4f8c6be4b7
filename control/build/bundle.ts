import * as esbuild from "esbuild";
import { join } from "node:path";
import type { AppPaths } from "./app_paths.ts";
import { BuildError } from "./build_error.ts";
import { BundleOutput } from "./bundle_output.ts";
import { BUNDLE_PATH, denoPlugin, DIRNAME, ENTRY, FILENAME, META, META_IMPORT } from "./esbuild_plugin.ts";
import type { ModuleGraph } from "./module_graph.ts";

/** The whole program as one module, or why that would change it. */
export type Bundle =
  | { code: string; map: string; needsPackages: boolean; modules: number; obstacle?: undefined }
  | { obstacle: string };

/** How the program is compiled. */
export interface BundleOptions {
  graph: ModuleGraph;
  paths: AppPaths;
  compilerOptions: Record<string, unknown>;
}

/** One more pass when packages name things that are not there. */
const MAX_PASSES = 2;

/**
 * Bundles the module graph into one ES module with a source map.
 *
 * @throws {BuildError} the program is wrong in a way that Deno would refuse too
 */
export async function bundle(options: BundleOptions): Promise<Bundle> {
  if (options.compilerOptions.emitDecoratorMetadata) {
    return { obstacle: `it needs "emitDecoratorMetadata"` };
  }
  const unresolvable = new Set<string>();
  for (let pass = 1;; pass++) {
    const readsFiles = new Set<string>();
    try {
      const result = await build(options, unresolvable, readsFiles);
      return finish(result, readsFiles);
    } catch (error) {
      const errors = (error as Partial<esbuild.BuildFailure>).errors;
      if (!errors) throw error;
      const missing = errors.map(missingInPackage);
      if (pass === MAX_PASSES || missing.includes(undefined)) return failed(errors, options.paths);
      for (const specifier of missing) unresolvable.add(specifier!);
    }
  }
}

/** Ends esbuild's process, which keeps all that it has read: what comes next needs as much memory. */
export async function endBundler(): Promise<void> {
  await esbuild.stop();
}

type Result = esbuild.BuildResult<{ write: false; metafile: true }>;

function build(options: BundleOptions, unresolvable: Set<string>, readsFiles: Set<string>): Promise<Result> {
  const { graph, paths, compilerOptions } = options;
  return esbuild.build({
    entryPoints: [ENTRY],
    outfile: join(paths.dir, BUNDLE_PATH),
    absWorkingDir: paths.dir,
    bundle: true,
    write: false,
    metafile: true,
    logLevel: "silent",
    format: "esm",
    platform: "neutral",
    target: "esnext",
    // V8 does not run decorators.
    supported: { decorators: false },
    // "import", "require" and "default" go with the kind of import.
    conditions: ["deno", "node"],
    mainFields: ["main"],
    resolveExtensions: [".js", ".json"],
    charset: "utf8",
    legalComments: "none",
    keepNames: true,
    treeShaking: true,
    sourcemap: "external",
    sourcesContent: false,
    define: { "import.meta": META, "__dirname": DIRNAME, "__filename": FILENAME },
    tsconfigRaw: { compilerOptions: esbuildOptions(compilerOptions) },
    plugins: [denoPlugin({ graph, paths, unresolvable, readsFiles })],
  });
}

/** Deno's meaning of the options: class fields are always defined, `precompile` only makes `react-jsx` faster. */
function esbuildOptions(options: Record<string, unknown>): Record<string, unknown> {
  const jsx = options.jsx === "precompile" ? "react-jsx" : options.jsx ?? "react";
  return { ...options, jsx, useDefineForClassFields: true };
}

function finish(result: Result, readsFiles: ReadonlySet<string>): Bundle {
  const text = (extension: string) => result.outputFiles.find(({ path }) => path.endsWith(extension))!.text;
  const output = new BundleOutput(text(".mjs"), text(".map"));
  const obstacle = output.findObstacle();
  if (obstacle) return { obstacle };
  const inputs = Object.values(result.metafile.outputs).flatMap((file) => Object.entries(file.inputs));
  const kept = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([name]) => name);
  const { code, map, requiresAtRunTime } = output.finish();
  const needsPackages = requiresAtRunTime || kept.some((name) => readsFiles.has(name));
  return { code, map, needsPackages, modules: kept.filter((name) => !name.startsWith("meta:")).length };
}

/** The specifier, when a package asks for something that is not there, which Deno would only find out on reaching it. */
function missingInPackage({ text, location }: esbuild.Message): string | undefined {
  const specifier = /^Could not resolve "(.*)"$/.exec(text)?.[1];
  return location?.file.includes("node_modules/") ? specifier : undefined;
}

function failed([error]: esbuild.Message[], paths: AppPaths): Bundle {
  const { text, location } = error!;
  const message = paths.scrub(text).replaceAll("app:", "");
  const file = location?.file.replace(/^app:/, "");
  if (message.startsWith("No matching export")) {
    throw new BuildError(`Cannot link ${file}:${location!.line}:${columnOf(location!) + 1}: ${message}`);
  }
  if (file?.endsWith(".json") && !file.includes("node_modules/")) {
    throw new BuildError(`Cannot parse ${file}:${location!.line}:${location!.column + 1}: ${message}`);
  }
  const place = location ? `${file}:${location.line}` : "the program";
  if (message.startsWith("Could not resolve import(")) {
    return { obstacle: `${place} imports a module by a computed name` };
  }
  return { obstacle: `${place} cannot be bundled: ${message}` };
}

/** Counted without what was put in front of the module's first statement. */
function columnOf({ column, lineText }: esbuild.Location): number {
  const prefix = META_IMPORT.exec(lineText);
  return prefix && column > prefix.index ? column - prefix[0].length : column;
}
