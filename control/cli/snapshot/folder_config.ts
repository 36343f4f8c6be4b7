import { join } from "node:path";
import { CliError } from "../cli_error.ts";
import { parseJsonc } from "../../jsonc.ts";

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
 * @throws {CliError} one cannot be parsed
 */
export function readFolderConfig(root: string): FolderConfig {
  const config: FolderConfig = { include: [], exclude: [], entrypoints: [] };
  for (const file of DENO_FILES) {
    const content = readObject(root, file);
    if (!content) continue;
    const deploy = asObject(content.deploy);
    config.include = globs(deploy?.include, `deploy.include of ${file}`);
    config.exclude = globs(deploy?.exclude, `deploy.exclude of ${file}`);
    addEntrypoint(config, deploy?.entrypoint, `deploy.entrypoint of ${file}`);
    addEntrypoint(config, asObject(content.exports)?.["."] ?? content.exports, `exports of ${file}`);
    break;
  }
  addEntrypoint(config, readObject(root, "package.json")?.main, "main of package.json");
  return config;
}

function addEntrypoint(config: FolderConfig, path: unknown, namedBy: string): void {
  if (typeof path === "string") config.entrypoints.push({ path: path.replace(/^\.\//, ""), namedBy });
}

function readObject(root: string, file: string): Record<string, unknown> | undefined {
  const path = join(root, file);
  try {
    return asObject(parseJsonc(Deno.readTextFileSync(path)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CliError("failed", `Cannot read "${path}": ${(error as Error).message}`, { cause: error });
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
}

function globs(value: unknown, label: string): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new CliError("failed", `Cannot use ${label}: must be a list of paths or globs`);
}
