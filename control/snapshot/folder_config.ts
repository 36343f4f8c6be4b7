import { parseJsonc } from "../text/jsonc.ts";
import { SnapshotError } from "./snapshot_error.ts";

/** What a folder says about its own deployment. */
export interface FolderConfig {
  /** Globs of `deploy.include` in deno.json, relative to the folder; empty = everything. */
  include: string[];
  /** Globs of `deploy.exclude`. */
  exclude: string[];
  /** Entry points that are named, most explicit first. */
  entrypoints: { path: string; namedBy: string }[];
}

const DENO_FILES = ["deno.json", "deno.jsonc"];

/**
 * Reads `deno.json` (or `deno.jsonc`) and `package.json` of a folder.
 *
 * @param read The content of a file; nothing if it is not there.
 * @throws {SnapshotError} one cannot be parsed
 */
export function readFolderConfig(read: (file: string) => string | undefined): FolderConfig {
  const config: FolderConfig = { include: [], exclude: [], entrypoints: [] };
  for (const file of DENO_FILES) {
    const content = readObject(read, file);
    if (!content) continue;
    const deploy = asObject(content.deploy);
    config.include = globs(deploy?.include, `deploy.include of ${file}`);
    config.exclude = globs(deploy?.exclude, `deploy.exclude of ${file}`);
    addEntrypoint(config, deploy?.entrypoint, `deploy.entrypoint of ${file}`);
    addEntrypoint(config, asObject(content.exports)?.["."] ?? content.exports, `exports of ${file}`);
    break;
  }
  addEntrypoint(config, readObject(read, "package.json")?.main, "main of package.json");
  return config;
}

function addEntrypoint(config: FolderConfig, path: unknown, namedBy: string): void {
  if (typeof path === "string") config.entrypoints.push({ path: path.replace(/^\.\//, ""), namedBy });
}

function readObject(
  read: (file: string) => string | undefined,
  file: string,
): Record<string, unknown> | undefined {
  const text = read(file);
  if (text === undefined) return undefined;
  try {
    return asObject(parseJsonc(text));
  } catch (cause) {
    throw new SnapshotError(`Cannot read "${file}": ${(cause as Error).message}`, { cause });
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
}

function globs(value: unknown, label: string): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new SnapshotError(`Cannot use ${label}: must be a list of paths or globs`);
}
