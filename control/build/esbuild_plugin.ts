import type { ImportKind, OnLoadResult, OnResolveArgs, OnResolveResult, Plugin } from "esbuild";
import { builtinModules, createRequire, isBuiltin } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { AppPaths } from "./app_paths.ts";
import type { ModuleGraph } from "./module_graph.ts";
import { prefixModule, withJsxRuntime } from "./module_prefix.ts";
import { PackageTypes } from "./package_types.ts";

/** Where the bundle is put. */
export const BUNDLE_PATH = ".isola/main.mjs";
/** Where its source map is put. */
export const BUNDLE_MAP_PATH = `${BUNDLE_PATH}.map`;
/** What `import.meta` is called in the bundle. */
export const META = "__isola_meta";
/** What `__dirname` is called in the bundle. */
export const DIRNAME = "__isola_dirname";
/** What `__filename` is called in the bundle. */
export const FILENAME = "__isola_filename";

/** The specifier of the entry point. */
export const ENTRY = "isola:entry";
const META_OF = "isola:meta:";
/** What is put in front of a module that asks for its `import.meta`. */
export const META_IMPORT = new RegExp(`import { ${META} } from "${META_OF}[^"]*";`);

/** What the plugin works on, and what it finds out. */
export interface PluginOptions {
  graph: ModuleGraph;
  paths: AppPaths;
  /** Specifiers in packages that nothing answers: they fail when they are reached, as in Deno. */
  unresolvable: ReadonlySet<string>;
  /** Filled with the modules (as esbuild names them) that look for files beside them. */
  readsFiles: Set<string>;
}

const LOADERS = {
  JavaScript: "js",
  Mjs: "js",
  Cjs: "js",
  JSX: "jsx",
  TypeScript: "ts",
  Mts: "ts",
  Cts: "ts",
  TSX: "tsx",
  Json: "json",
} as const;

/**
 * Makes esbuild find and read modules as Deno does. The deployment's own modules and remote ones live in namespace `app`
 * under their names; what is inside packages is left to esbuild's resolution, which follows Node's.
 */
export function denoPlugin(options: PluginOptions): Plugin {
  const loader = new ModuleLoader(options);
  return {
    name: "deno",
    setup(build) {
      build.onResolve({ filter: /^isola:/ }, ({ path }) => loader.resolveInternal(path));
      build.onResolve({ filter: /./, namespace: "app" }, (args) => loader.resolve(args));
      build.onResolve({ filter: BUILTIN, namespace: "file" }, ({ path }) => builtin(path));
      if (options.unresolvable.size > 0) {
        build.onResolve(
          { filter: /./, namespace: "file" },
          ({ path }) => options.unresolvable.has(path) ? { path, external: true } : undefined,
        );
      }
      build.onResolve({ filter: /\.node$/, namespace: "file" }, ({ path }) => ({ path, external: true }));
      build.onLoad({ filter: /./, namespace: "app" }, ({ path, with: { type } }) => loader.load(path, type));
      build.onLoad({ filter: /./, namespace: "file" }, ({ path }) => loader.loadPackaged(path));
      build.onLoad({ filter: /./, namespace: "meta" }, ({ path }) => loader.loadMeta(path));
    },
  };
}

const BUILTIN = new RegExp(
  `^(?:node:.*|${builtinModules.map((name) => name.replaceAll("/", "\\/")).join("|")})$`,
);

function builtin(path: string): OnResolveResult {
  return { path: path.startsWith("node:") ? path : `node:${path}`, external: true };
}

/** What tells that a file of a package may look for others beside it. */
const LOOKS_AROUND = /\bimport\.meta\b|\b__(?:dirname|filename)\b|\bcreateRequire\b/;

/** What esbuild recognizes; it reads the file that is named, wherever that is. */
const MAP_COMMENT = /(?<=\/[/*][#@] sourceMappingURL)=/g;

/** An import that is only followed when it is reached may lead nowhere. */
const LAZY: ReadonlySet<ImportKind> = new Set<ImportKind>([
  "dynamic-import",
  "require-call",
  "require-resolve",
]);

function resolveRequire(path: string, importer: string): string | undefined {
  try {
    return createRequire(importer).resolve(path);
  } catch {
    return undefined;
  }
}

class ModuleLoader {
  readonly #options: PluginOptions;
  readonly #packageTypes: PackageTypes;

  constructor(options: PluginOptions) {
    this.#options = options;
    this.#packageTypes = new PackageTypes(options.paths.dir);
  }

  resolveInternal(path: string): OnResolveResult {
    const { graph, paths } = this.#options;
    if (path === ENTRY) return { path: paths.name(graph.entry), namespace: "app" };
    return { path: path.slice(META_OF.length), namespace: "meta" };
  }

  resolve({ path, importer, kind, with: { type } }: OnResolveArgs): OnResolveResult {
    const { graph, paths } = this.#options;
    const specifier = graph.resolve(paths.specifier(importer), path);
    const module = specifier === undefined ? undefined : graph.module(specifier);
    if (specifier === undefined || !module || module.error !== undefined) {
      if (kind === "require-call") return this.#resolveRequire(path, importer);
      if (!LAZY.has(kind)) return { errors: [{ text: `Cannot resolve "${path}"` }] };
      return { path: specifier?.startsWith("file:") ? this.#fromBundle(specifier) : path, external: true };
    }
    if (specifier.startsWith("node:")) return { path: specifier, external: true };
    if (kind === "require-resolve") return { path, external: true };
    if (type === undefined && module.kind === "wasm") {
      if (module.dependencies) return { errors: [{ text: `"${path}" imports modules of its own` }] };
      return { path: this.#fromBundle(specifier), external: true };
    }
    if (type === undefined && module.kind === "external") return { path: fileURLToPath(specifier) };
    return { path: paths.name(specifier), namespace: "app" };
  }

  /** Deno's graph knows no CommonJS resolution (extensions, folders): Node's does. */
  #resolveRequire(path: string, importer: string): OnResolveResult {
    const { paths } = this.#options;
    const file = resolveRequire(path, paths.specifier(importer));
    if (file === undefined) return { path, external: true };
    if (isBuiltin(file)) return builtin(file);
    const specifier = pathToFileURL(file).href;
    if (file.includes("/node_modules/") && !paths.isOutside(specifier)) return { path: file };
    return paths.isOutside(specifier)
      ? { path, external: true }
      : { path: paths.name(specifier), namespace: "app" };
  }

  /** A module of the deployment. */
  load(name: string, type: string | undefined): OnLoadResult {
    const { graph, paths } = this.#options;
    const specifier = paths.specifier(name);
    const module = graph.module(specifier);
    const file = module?.local ?? fileURLToPath(specifier);
    if (type === "bytes") return { contents: Deno.readFileSync(file), loader: "binary" };
    const source = Deno.readTextFileSync(file);
    if (type === "text") return { contents: source, loader: "text" };
    const loader = file.endsWith(".json")
      ? "json"
      : LOADERS[module?.mediaType as keyof typeof LOADERS] ?? "js";
    if (type === "json" || loader === "json") return { contents: source, loader: "json" };
    const isEsm = this.#packageTypes.isEsm(file) ?? /^\s*(?:import|export)\b|\bimport\.meta\b/m.test(source);
    const contents = loader.endsWith("x") ? withJsxRuntime(source) : source;
    return { contents: this.#withOwnNames(contents, name, isEsm), loader };
  }

  /** A file of a package: only those that ask where they are, or name another file, need more than esbuild gives. */
  loadPackaged(path: string): OnLoadResult | undefined {
    const { paths, readsFiles } = this.#options;
    // A package may name any path, and esbuild would read it.
    if (!paths.contains(path)) return { errors: [{ text: `"${path}" is outside the deployment` }] };
    if (!/\.(?:[cm]?[jt]s|[jt]sx|css)$/.test(path)) return undefined;
    const text = Deno.readTextFileSync(path);
    const source = text.replace(MAP_COMMENT, ":");
    if (!/\.[cm]?js$/.test(path) || !LOOKS_AROUND.test(source)) {
      return source === text ? undefined : { contents: source, loader: "default" };
    }
    const name = paths.relative(path);
    readsFiles.add(name);
    const isEsm = this.#packageTypes.isEsm(path) ?? false;
    return { contents: this.#withOwnNames(source, encodeURI(name), isEsm), loader: "js" };
  }

  loadMeta(name: string): OnLoadResult {
    const { graph, paths } = this.#options;
    const isMain = paths.specifier(name) === graph.entry;
    return { contents: `export const ${META} = ${META}_of(${JSON.stringify(name)}, ${isMain});` };
  }

  /** `define` renames what a module calls its own place; here the new names get their values. */
  #withOwnNames(source: string, name: string, isEsm: boolean): string {
    if (isEsm) {
      return source.includes("import.meta")
        ? prefixModule(source, `import { ${META} } from ${JSON.stringify(META_OF + name)};`)
        : source;
    }
    const { graph, paths } = this.#options;
    const isMain = paths.specifier(name) === graph.entry && /\brequire\.main\b/.test(source);
    const places = /\b__(?:dirname|filename)\b/.test(source)
      ? `var ${FILENAME} = __isola_file(${
        JSON.stringify(name)
      }), ${DIRNAME} = ${FILENAME}.replace(/\\/[^/]*$/, "");`
      : "";
    return places || isMain
      ? prefixModule(source, places + (isMain ? "require.main = module;" : ""))
      : source;
  }

  /** A file of the deployment that stays apart from the bundle. */
  #fromBundle(specifier: string): string {
    return `../${this.#options.paths.name(specifier)}`;
  }
}
