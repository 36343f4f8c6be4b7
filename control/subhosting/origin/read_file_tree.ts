import { JsonReader } from "../../api/deployments/json_reader.ts";
import { ApiError } from "../../api/errors.ts";
import { Turn } from "../../scheduling/turn.ts";
import type { FileTree } from "../model.ts";
import type { Answer } from "./answer.ts";
import { CallFailure } from "./call_failure.ts";
import { FileTreeBuilder, MAX_ENTRIES } from "./file_tree.ts";

/** Of the JSON, decompressed. */
export const MAX_TREE_BYTES = 8 * 2 ** 20;
/** Characters of one entry, or of another value: they are read in one go. */
const MAX_VALUE_LENGTH = 64 * 1024;
/** Of other members than `entries`. */
const MAX_OTHER_VALUES = 1_000;

/**
 * Reads the files of a deployment as they arrive, so that a large tree holds nothing else up.
 *
 * @throws {CallFailure}
 * @throws the signal's reason
 */
export async function readFileTree(answer: Answer): Promise<FileTree> {
  const options = {
    maxHeld: MAX_TREE_BYTES,
    maxValueLength: MAX_VALUE_LENGTH,
    maxValues: 2 * MAX_ENTRIES + MAX_OTHER_VALUES,
  };
  await using reader = new JsonReader(decoded(answer.heldChunks(MAX_TREE_BYTES)), options);
  try {
    const tree = await readMembers(reader);
    await reader.end();
    if (tree !== undefined) return tree;
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    throw new CallFailure("invalid", "its file tree is not JSON, or has values that are too long", { cause });
  }
  throw new CallFailure("invalid", `its file tree has no "entries"`);
}

async function readMembers(reader: JsonReader): Promise<FileTree | undefined> {
  let tree: FileTree | undefined;
  const turn = new Turn();
  for await (const key of reader.members()) {
    if (turn.isOver()) await turn.next();
    if (key === "entries") tree = await readEntries(reader);
    else await reader.value();
  }
  return tree;
}

async function readEntries(reader: JsonReader): Promise<FileTree> {
  const builder = new FileTreeBuilder();
  const turn = new Turn();
  for await (const path of reader.members()) {
    if (turn.isOver()) await turn.next();
    builder.add(path, await reader.value());
  }
  return builder.tree;
}

async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (cause) {
      throw new CallFailure("invalid", "its file tree is not UTF-8", { cause });
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}
