import type { ConfinedGit } from "./confined_git.ts";
import { SnapshotError } from "../snapshot/snapshot_error.ts";
import { Turn } from "../scheduling/turn.ts";
import { GitError } from "./git_process.ts";

/** A commit in a repository on this machine. */
export interface CommitLocation {
  git: ConfinedGit;
  /** A bare repository; absolute. */
  gitDir: string;
  signal: AbortSignal;
}

/** What a commit says of itself. */
export interface CommitInfo {
  sha: string;
  message: string;
  author: string;
}

/** An entry of a tree: `path` is relative to the folder that was listed. */
export interface TreeEntry {
  kind: "file" | "symlink" | "submodule";
  path: string;
  sha: string;
  /** Of its content, in bytes; 0 for submodules. */
  size: number;
}

const TIMEOUT_MS = 60_000;
const CONTENT_TIMEOUT_MS = 5 * 60_000;
const MAX_COMMIT_BYTES = 1024 ** 2;
/** Enough for 10,000 paths of the usual length several times over. */
const MAX_TREE_BYTES = 8 * 1024 ** 2;
/** Kept of a message; the rest is for git. */
const MAX_MESSAGE_LENGTH = 2000;
const MAX_AUTHOR_LENGTH = 200;
const GITLINK = "160000";
const SYMLINK = "120000";

/** @throws {GitError} There is no such commit. */
export async function readCommit({ git, gitDir, signal }: CommitLocation, sha: string): Promise<CommitInfo> {
  const format = "--format=%H%x00%an%x00%B";
  const args = ["log", "-1", "--no-show-signature", "--encoding=UTF-8", format, "--end-of-options", sha];
  const text = await git.output({ args, gitDir, timeoutMs: TIMEOUT_MS, signal }, MAX_COMMIT_BYTES);
  const [fullSha = "", author = "", message = ""] = text.split("\0");
  return {
    sha: fullSha,
    author: author.slice(0, MAX_AUTHOR_LENGTH),
    message: message.trim().slice(0, MAX_MESSAGE_LENGTH),
  };
}

/**
 * Lists the files of a folder of a commit and those below.
 *
 * @param folder "" = the root.
 * @throws {SnapshotError} There is no such folder, or too much in it.
 */
export async function listTree(
  { git, gitDir, signal }: CommitLocation,
  sha: string,
  folder: string,
): Promise<TreeEntry[]> {
  const args = ["ls-tree", "-r", "-l", "-z", "--full-tree", `${sha}:${folder}`];
  let text: string;
  try {
    text = await git.output({ args, gitDir, timeoutMs: TIMEOUT_MS, signal }, MAX_TREE_BYTES);
  } catch (error) {
    if (error instanceof GitError && error.isBound) {
      throw new SnapshotError(`Cannot deploy commit ${sha.slice(0, 12)}: there are too many files in it`);
    }
    if (!(error instanceof GitError) || !/not a tree object|Not a valid object name/i.test(error.stderr)) {
      throw error;
    }
    throw new SnapshotError(`Cannot deploy folder "${folder}": there is none in commit ${sha.slice(0, 12)}`);
  }
  const entries: TreeEntry[] = [];
  const turn = new Turn();
  for (
    let start = 0, end = text.indexOf("\0");
    end !== -1;
    start = end + 1, end = text.indexOf("\0", start)
  ) {
    entries.push(parseEntry(text.slice(start, end)));
    if (turn.isOver()) await turn.next();
  }
  return entries;
}

/** `<mode> SP <type> SP <object> SP+ <size> TAB <path>` (git-ls-tree(1)). */
function parseEntry(line: string): TreeEntry {
  const tab = line.indexOf("\t");
  const [mode, , sha, size] = line.slice(0, tab).split(/ +/);
  const kind = mode === GITLINK ? "submodule" : mode === SYMLINK ? "symlink" : "file";
  return { kind, path: line.slice(tab + 1), sha: sha!, size: kind === "submodule" ? 0 : Number(size) };
}

/** The content of one object. */
export interface ObjectContent {
  sha: string;
  size: number;
  /** To be read to its end before the next object is asked for. */
  content: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * The contents of objects, one after the other (git-cat-file(1), --batch).
 *
 * @throws {GitError} One is not there.
 */
export async function* readObjects(
  { git, gitDir, signal }: CommitLocation,
  shas: readonly string[],
): AsyncGenerator<ObjectContent, void> {
  if (shas.length === 0) return;
  const stdin = new TextEncoder().encode(shas.map((sha) => `${sha}\n`).join(""));
  const args = ["cat-file", "--batch", "--buffer"];
  await using process = git.start({ args, gitDir, stdin, timeoutMs: CONTENT_TIMEOUT_MS, signal });
  await using input = new ByteInput(process.stdout);
  for (const sha of shas) {
    const header = await input.line();
    const [name, , size] = header.split(" ");
    if (name !== sha || size === undefined) {
      throw new GitError(`Cannot read object "${sha}": ${header || "git ended"}`);
    }
    const left = { bytes: Number(size) };
    yield { sha, size: left.bytes, content: input.stream(left) };
    if (left.bytes > 0) throw new TypeError(`The content of "${sha}" was not read to its end`);
    await input.take(1); // The line feed after it.
  }
  await process.success();
}

/** Bytes of a stream, by lines and by counts. */
class ByteInput implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #chunk: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.getReader();
  }

  /** Up to the next line feed, which is dropped; or to the end. */
  async line(): Promise<string> {
    let text = "";
    while (text.length < MAX_COMMIT_BYTES) {
      const end = this.#chunk.indexOf(0x0a);
      text += new TextDecoder().decode(this.#chunk.subarray(0, end === -1 ? undefined : end));
      this.#chunk = this.#chunk.subarray(end === -1 ? this.#chunk.length : end + 1);
      if (end !== -1 || !await this.#fill()) break;
    }
    return text;
  }

  /** At most so many bytes, at least one unless it has ended. */
  async take(max: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#chunk.length === 0) await this.#fill();
    const taken = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(taken.length);
    return taken;
  }

  /** The next bytes; counts `left` down to 0. */
  stream(left: { bytes: number }): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      pull: async (controller) => {
        const taken = left.bytes === 0 ? null : await this.take(left.bytes);
        if (taken?.length === 0) throw new GitError("git ended in the middle of a content");
        left.bytes -= taken?.length ?? 0;
        if (taken !== null) controller.enqueue(taken);
        if (left.bytes === 0) controller.close();
      },
    }, { highWaterMark: 0 });
  }

  /** Drops what there is yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }

  async #fill(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (!done) this.#chunk = value;
    return !done;
  }
}
