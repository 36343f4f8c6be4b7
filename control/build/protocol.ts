/** What the server and a builder process say to each other: one line of JSON on stdin, then lines of JSON on stdout. */
import { type BuildLog, type LogLevel, MAX_FILES_BYTES, type SourceOptions } from "../model.ts";
import { isInnerLink, isManifestPath } from "./manifest_path.ts";

/** What is to be built. */
export interface BuildRequest {
  /** The writable copy of the snapshot; absolute, no symlink in it. */
  dir: string;
  source: SourceOptions;
  /** Paths of the snapshot's deno.json, deno.jsonc, package.json and tsconfig.json files. */
  configs: string[];
  /** Whether packages were uploaded with the snapshot (a `node_modules` folder at its root). */
  hasNodeModules: boolean;
  /** Holds `dir` and `cacheDir`; all of the machine's files that the build's Deno processes see and may write. */
  placeDir: string;
  /** Their `DENO_DIR`: the cache of downloaded packages. */
  cacheDir: string;
  /** Files outside of `dir` that Deno may read: what the operator's settings name. */
  operatorFiles: string[];
  /** Those that isolates run with. */
  v8Flags: string;
  /** Addresses that are not public, as Deno's permissions name them. */
  deniedNetworks: readonly string[];
  /** Only run, not built: what it writes is built then. */
  command?: BuildCommandLine;
}

/** What a deployment has run before it is built. */
export interface BuildCommandLine {
  /** In the language of Deno's tasks, such as `deno task build`. */
  text: string;
  variables: Record<string, string>;
  /** SHA-256 of the files that are there already, by path. */
  hashes: Record<string, string>;
  /** User that it runs as; nothing where the server is not root. */
  user?: number;
}

/** A file that the build adds: content from `from` (relative to the build directory), or a symlink. */
export type BuiltFile = { path: string; from: string } | { path: string; target: string };

/** An `Image` before its files are stored. */
export interface BuiltImage {
  mode: "bundle" | "tree";
  entry: string;
  files: BuiltFile[];
  config?: string;
  reason?: string;
}

/** A line of a builder's stdout. */
export type BuilderMessage =
  | ({ type: "log" } & BuildLog)
  | { type: "done"; image: BuiltImage }
  | { type: "written"; files: BuiltFile[] }
  | { type: "failed"; message: string };

/** Of an image: as much as a deployment's own files may have. */
export const MAX_IMAGE_BYTES: number = MAX_FILES_BYTES;
/** More files than this in an image are refused. */
export const MAX_IMAGE_FILES = 100_000;
const MAX_TEXT_LENGTH = 64 * 1024;
const LEVELS: ReadonlySet<unknown> = new Set<LogLevel>(["debug", "info", "warning", "error"]);

/**
 * Reads one line of a builder, which is not trusted.
 *
 * @throws {TypeError} the line is not a message
 */
export function parseBuilderMessage(line: string): BuilderMessage {
  const message = record(JSON.parse(line), "message");
  switch (message.type) {
    case "log":
      if (!LEVELS.has(message.level)) throw new TypeError(`Cannot read "level": not a log level`);
      return { type: "log", level: message.level as LogLevel, message: text(message.message, "message") };
    case "failed":
      return { type: "failed", message: text(message.message, "message") };
    case "written":
      return { type: "written", files: parseFiles(message.files) };
    case "done":
      return { type: "done", image: parseImage(record(message.image, "image")) };
    default:
      throw new TypeError(`Cannot read "type": not a message of a builder`);
  }
}

function parseImage(image: Record<string, unknown>): BuiltImage {
  const { mode } = image;
  if (mode !== "bundle" && mode !== "tree") throw new TypeError(`Cannot read "mode": not a mode`);
  return {
    mode,
    entry: path(image.entry, "entry"),
    files: parseFiles(image.files),
    ...(image.config === undefined ? {} : { config: path(image.config, "config") }),
    ...(image.reason === undefined ? {} : { reason: text(image.reason, "reason") }),
  };
}

function parseFiles(files: unknown): BuiltFile[] {
  if (!Array.isArray(files) || files.length > MAX_IMAGE_FILES) {
    throw new TypeError(`Cannot read "files": not a list of at most ${MAX_IMAGE_FILES} files`);
  }
  return files.map((file) => parseFile(record(file, "file")));
}

function parseFile(file: Record<string, unknown>): BuiltFile {
  const at = path(file.path, "path");
  if (file.target === undefined) return { path: at, from: path(file.from, "from") };
  const target = text(file.target, "target");
  if (!isInnerLink(at, target)) throw new TypeError(`Cannot read "target": it leaves the deployment`);
  return { path: at, target };
}

function record(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new TypeError(`Cannot read "${field}": not an object`);
}

function text(value: unknown, field: string): string {
  if (typeof value === "string") return value.slice(0, MAX_TEXT_LENGTH);
  throw new TypeError(`Cannot read "${field}": not a string`);
}

function path(value: unknown, field: string): string {
  if (typeof value === "string" && isManifestPath(value)) return value;
  throw new TypeError(`Cannot read "${field}": not a path inside the deployment`);
}
