import { join, posix } from "node:path";
import { parseJsonc } from "../text/jsonc.ts";
import { BuildError } from "./build_error.ts";
import { isManifestPath } from "./manifest_path.ts";
import type { BuildRequest } from "./protocol.ts";

/** A deployment's own settings, made safe for Deno to read. */
export interface TenantConfig {
  /** The deno.json that Deno is given, relative. */
  path: string;
  /** Every deno.json that was rewritten: the program must be started with these too. */
  rewritten: string[];
  /** As Deno merges them; the request's own win. */
  compilerOptions: Record<string, unknown>;
  /** Relative path of the lock file; `null` = none. */
  lock: { path: string; frozen: boolean } | null;
  /** Where Deno puts packages: relative paths of `node_modules` folders, the one that holds them all first. */
  packageFolders: string[];
  /** Names of packages that only development needs. */
  development: Set<string>;
}

type Json = Record<string, unknown>;

/** What stays of a deno.json: what says how modules are found and compiled. The rest is about commands and privileges. */
const KEPT = ["name", "version", "exports", "imports", "scopes", "importMap", "workspace"];
const KEPT_COMPILER_OPTIONS = [
  "jsx",
  "jsxFactory",
  "jsxFragmentFactory",
  "jsxImportSource",
  "experimentalDecorators",
  "emitDecoratorMetadata",
  "verbatimModuleSyntax",
];
/** Of `unstable`, what only changes how modules are found. */
const KEPT_UNSTABLE: readonly unknown[] = ["sloppy-imports", "bare-node-builtins"];

/**
 * Rewrites the snapshot's configuration files in the build directory so that Deno can read them without running,
 * reading or trusting anything that they ask for beyond module resolution, and applies the options of the request.
 *
 * @throws {BuildError} a file cannot be read or asks for something outside the deployment
 */
export function prepareConfig({ dir, source, configs }: BuildRequest): TenantConfig {
  const originals = new Map<string, Json>();
  for (const path of configs) {
    if (posix.basename(path) === "tsconfig.json") writeJson(dir, path, readTypeScriptConfig(dir, path));
    else originals.set(path, readJson(dir, path));
  }
  for (const [path, config] of originals) {
    const isPackage = posix.basename(path) === "package.json";
    writeJson(dir, path, isPackage ? safePackage(config, path) : safeConfig(config, path));
  }
  const path = findConfig(source.entrypoint, originals);
  const root = findWorkspaceRoot(path, originals) ?? path;
  const own = safeConfig(originals.get(path) ?? {}, path);
  applyImportMap(own, path, source.importMap);
  own.compilerOptions = {
    ...asJson(own.compilerOptions),
    ...pick(source.compilerOptions ?? {}, KEPT_COMPILER_OPTIONS),
  };
  writeJson(dir, path, own);
  const inherited = safeConfig(originals.get(root) ?? {}, root).compilerOptions;
  return {
    path,
    rewritten: [...new Set([...originals.keys(), path])].filter((file) =>
      posix.basename(file) !== "package.json"
    ),
    compilerOptions: { ...asJson(inherited), ...asJson(own.compilerOptions) },
    lock: safeLock(dir, findLock(dir, source.lockFile, root, originals.get(root)?.lock)),
    packageFolders: [
      ...new Set([root, path, ...originals.keys()].map((file) => posix.join(file, "../node_modules"))),
    ],
    development: new Set([...originals.values()].flatMap(developmentOf)),
  };
}

/** As Deno looks for it: from the entry point's folder upwards, but never past the deployment's root. */
function findConfig(entrypoint: string, configs: ReadonlyMap<string, Json>): string {
  const folders = foldersUp(entrypoint);
  const nearest = (...names: string[]) =>
    folders.flatMap((folder) => names.map((name) => posix.join(folder, name))).find((path) =>
      configs.has(path)
    );
  const found = nearest("deno.json", "deno.jsonc");
  return found ?? posix.join(posix.dirname(nearest("package.json") ?? "package.json"), "deno.json");
}

function findWorkspaceRoot(path: string, configs: ReadonlyMap<string, Json>): string | undefined {
  return foldersUp(path)
    .flatMap((folder) => ["deno.json", "deno.jsonc"].map((name) => posix.join(folder, name)))
    .find((candidate) => configs.get(candidate)?.workspace !== undefined);
}

function foldersUp(path: string): string[] {
  const folders = [];
  for (let folder = posix.dirname(path); folder !== "."; folder = posix.dirname(folder)) folders.push(folder);
  return [...folders, "."];
}

function safeConfig(config: Json, path: string): Json {
  const safe = pick(config, KEPT);
  const members = asJson(safe.workspace).members ?? safe.workspace ?? [];
  checkMembers(members, path, "workspace");
  if (config.links !== undefined) checkMembers(config.links, path, "links");
  if (typeof safe.importMap === "string") resolveInside(path, safe.importMap, "importMap");
  const unstable = Array.isArray(config.unstable) ? config.unstable : [];
  return {
    ...safe,
    compilerOptions: pick(asJson(config.compilerOptions), KEPT_COMPILER_OPTIONS),
    unstable: unstable.filter((feature) => KEPT_UNSTABLE.includes(feature)),
  };
}

function safePackage(config: Json, path: string): Json {
  checkMembers(asJson(config.workspaces).packages ?? config.workspaces ?? [], path, "workspaces");
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== "scripts"));
}

/** Without the files that it extends and refers to, wherever they are. Deno passes over one that it cannot read. */
function readTypeScriptConfig(dir: string, path: string): Json {
  try {
    return { compilerOptions: pick(asJson(readJson(dir, path).compilerOptions), KEPT_COMPILER_OPTIONS) };
  } catch (error) {
    if (error instanceof BuildError) return {};
    throw error;
  }
}

function checkMembers(members: unknown, path: string, key: string): void {
  for (const member of Array.isArray(members) ? members : [members]) {
    if (typeof member === "string") resolveInside(path, member, key);
  }
}

function developmentOf(config: Json): string[] {
  const dependencies = asJson(config.dependencies);
  return Object.keys(asJson(config.devDependencies)).filter((name) => !Object.hasOwn(dependencies, name));
}

function applyImportMap(config: Json, path: string, importMap: string | null): void {
  if (importMap === null) return;
  for (const key of ["imports", "scopes", "importMap"]) delete config[key];
  if (importMap === "") return;
  if (!isManifestPath(importMap)) {
    throw new BuildError(`Cannot use import map "${importMap}": not a path of the deployment`);
  }
  // As a URL: a "%2e%2e" in the name would otherwise lead up.
  config.importMap = `./${encodeURI(posix.relative(posix.dirname(path), importMap))}`;
}

function findLock(dir: string, asked: string | null, root: string, lock: unknown): TenantConfig["lock"] {
  if (asked === "" || (asked === null && lock === false)) return null;
  if (asked !== null) {
    if (!isManifestPath(asked)) {
      throw new BuildError(`Cannot use lock file "${asked}": not a path of the deployment`);
    }
    return { path: asked, frozen: false };
  }
  const named = typeof lock === "string" ? lock : asJson(lock).path;
  const path = resolveInside(root, typeof named === "string" ? named : "./deno.lock", "lock");
  return hasFile(join(dir, path)) ? { path, frozen: asJson(lock).frozen === true } : null;
}

/** A lock file may say where each package is downloaded; that is for the operator's registry to say. */
function safeLock(dir: string, lock: TenantConfig["lock"]): TenantConfig["lock"] {
  if (lock === null) return null;
  const content = readJson(dir, lock.path);
  for (const entry of Object.values(asJson(content.npm))) delete asJson(entry).tarball;
  writeJson(dir, lock.path, content);
  return lock;
}

function hasFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The path that a configuration file names relative to itself. */
function resolveInside(config: string, named: string, key: string): string {
  // Deno reads it as a URL, in which "%2e%2e" is "..".
  const path = posix.join(posix.dirname(config), named.replaceAll(/%2e/gi, "."));
  if (
    posix.isAbsolute(named) || /^[a-z][a-z0-9+.-]*:/i.test(named) || path === ".." || path.startsWith("../")
  ) {
    throw new BuildError(`Cannot use "${key}" of ${config}: "${named}" is outside the deployment`);
  }
  return path;
}

function readJson(dir: string, path: string): Json {
  try {
    const value = parseJsonc(Deno.readTextFileSync(join(dir, path)));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
    throw new TypeError("not an object");
  } catch (cause) {
    throw new BuildError(`Cannot read "${path}": ${(cause as Error).message}`, { cause });
  }
}

function writeJson(dir: string, path: string, value: Json): void {
  Deno.writeTextFileSync(join(dir, path), JSON.stringify(value, null, 2));
}

function pick(from: Json, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}
