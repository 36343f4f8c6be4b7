import { z } from "zod";
import { AssetTree } from "./asset_tree.ts";
import { ApiError } from "./errors.ts";

/** Files and links of one deployment (INTERFACE §4). */
export const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 2 ** 30;
const MAX_CODE_BYTES = 20 * 2 ** 20;
/** What counts as code. */
const CODE = /\.(?:[cm]?[jt]s|[jt]sx|wasm)$/i;

/** A git blob SHA-1, in lower case. */
export const gitSha1 = z.string()
  .regex(/^[0-9a-f]{40}$/i, "must be a git blob SHA-1: 40 hexadecimal digits")
  .transform((hash) => hash.toLowerCase());

const asset = z.union(
  [
    z.object({
      kind: z.literal("file"),
      content: z.string(),
      encoding: z.enum(["utf-8", "base64"]).nullish(),
    }),
    z.object({ kind: z.literal("file"), gitSha1 }),
    z.object({ kind: z.literal("symlink"), target: z.string() }),
  ],
  `must be {kind: "file", content, encoding?: "utf-8" | "base64"}, {kind: "file", gitSha1}, or {kind: "symlink", target}`,
);

/** The assets of a create body, checked. */
export interface Assets {
  /** Content that came with the request, by path. */
  inline: Map<string, Uint8Array>;
  /** Content uploaded before: git SHA-1s by path. */
  uploaded: Map<string, string>;
  /** Targets by path. */
  symlinks: Map<string, string>;
  tree: AssetTree;
}

/**
 * Checks the assets of a deployment: their form, paths and number.
 *
 * @throws {ApiError} `badRequest`, which names the asset.
 */
export function readAssets(given: Record<string, unknown>): Assets {
  const entries = Object.entries(given);
  if (entries.length > MAX_FILES) {
    throw new ApiError(
      "badRequest",
      `Cannot take ${entries.length} assets: a deployment has ${MAX_FILES} at most`,
    );
  }
  const inline = new Map<string, Uint8Array>();
  const uploaded = new Map<string, string>();
  const symlinks = new Map<string, string>();
  for (const [path, value] of entries) {
    const parsed = asset.safeParse(value);
    if (!parsed.success) throw refused(path, parsed.error.issues[0]!.message);
    const read = parsed.data;
    if (read.kind === "symlink") symlinks.set(path, read.target);
    else if ("gitSha1" in read) uploaded.set(path, read.gitSha1);
    else inline.set(path, decode(path, read.content, read.encoding ?? "utf-8"));
  }
  const tree = new AssetTree(new Set([...inline.keys(), ...uploaded.keys()]), symlinks);
  return { inline, uploaded, symlinks, tree };
}

/**
 * Checks how much the files of a deployment are.
 *
 * @param sizes Bytes by path.
 * @throws {ApiError} `badRequest`.
 */
export function checkSizes(sizes: Iterable<[path: string, size: number]>): void {
  let bytes = 0;
  let codeBytes = 0;
  for (const [path, size] of sizes) {
    bytes += size;
    if (CODE.test(path)) codeBytes += size;
  }
  if (bytes > MAX_FILE_BYTES) throw tooMuch("files", bytes, MAX_FILE_BYTES);
  if (codeBytes > MAX_CODE_BYTES) throw tooMuch("code", codeBytes, MAX_CODE_BYTES);
}

function decode(path: string, content: string, encoding: "utf-8" | "base64"): Uint8Array {
  if (encoding === "base64") {
    try {
      return Uint8Array.fromBase64(content);
    } catch {
      throw refused(path, "its content is not base64");
    }
  }
  if (!content.isWellFormed()) throw refused(path, "its content is not valid Unicode: use base64");
  return new TextEncoder().encode(content);
}

function refused(path: string, problem: string): ApiError {
  return new ApiError("badRequest", `Cannot take asset "${path.slice(0, 200)}": ${problem}`);
}

function tooMuch(what: string, bytes: number, maxBytes: number): ApiError {
  return new ApiError(
    "badRequest",
    `Cannot take ${bytes} bytes of ${what}: a deployment has ${maxBytes} at most`,
  );
}
