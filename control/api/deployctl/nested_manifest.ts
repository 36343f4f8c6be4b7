import { z } from "zod";
import { AssetTree, refusedAsset } from "../deployments/asset_tree.ts";
import { gitSha1 } from "../deployments/assets.ts";
import { ApiError } from "../errors.ts";
import { MAX_FILES } from "../../model.ts";
import { Turn } from "../../scheduling/turn.ts";
import { isObject } from "../projects/variables.ts";

/** The longest manifest, in characters: of the most files that a deployment may have, their paths long. */
export const MAX_MANIFEST_LENGTH = 4 * 2 ** 20;
/** Entries of all kinds, directories included. */
const MAX_ENTRIES = 4 * MAX_FILES;

const entries = z.custom<Record<string, unknown>>(isObject, "must have entries by name");

const entry = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("file"), gitSha1, size: z.int().min(0) }),
  z.object({ kind: z.literal("directory"), entries }),
  z.object({ kind: z.literal("symlink"), target: z.string() }),
]);

/** A manifest as the client sends it. Its entries are checked by {@linkcode readManifest}. */
export const nestedManifest = z.object({ entries });

/** The files of a deployment by path. */
export interface FlatManifest {
  files: Map<string, { gitSha1: string; size: number }>;
  /** Targets by path. */
  symlinks: Map<string, string>;
  tree: AssetTree;
}

/**
 * Flattens a manifest, in which a directory holds entries by name. Empty directories are dropped: a deployment has only
 * files.
 *
 * @throws {ApiError} `badRequest`, which names the entry.
 */
export async function readManifest({ entries }: z.infer<typeof nestedManifest>): Promise<FlatManifest> {
  const files: FlatManifest["files"] = new Map();
  const symlinks: FlatManifest["symlinks"] = new Map();
  const ahead: [prefix: string, entries: Record<string, unknown>][] = [["", entries]];
  let count = 0;
  const turn = new Turn();
  for (let directory = ahead.pop(); directory !== undefined; directory = ahead.pop()) {
    const [prefix, children] = directory;
    for (const [name, value] of Object.entries(children)) {
      if (turn.isOver()) await turn.next();
      const path = prefix + name;
      const { data, error } = entry.safeParse(value);
      if (error !== undefined) throw refusedAsset(path, error.issues[0]!.message);
      if (data.kind === "directory") ahead.push([`${path}/`, data.entries]);
      else if (data.kind === "symlink") symlinks.set(path, data.target);
      else files.set(path, data);
      if (++count > MAX_ENTRIES || files.size + symlinks.size > MAX_FILES) throw tooMany();
    }
  }
  return { files, symlinks, tree: new AssetTree(new Set(files.keys()), symlinks) };
}

function tooMany(): ApiError {
  return new ApiError("badRequest", `Cannot take the manifest: a deployment has ${MAX_FILES} files at most`);
}
