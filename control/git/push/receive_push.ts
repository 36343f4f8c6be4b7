import { ApiError } from "../../api/errors.ts";
import { GitError } from "../git_process.ts";
import { PacketReader } from "./pkt_line.ts";
import { PushAnswer } from "./push_answer.ts";
import { type PushCommands, readPushCommands } from "./push_commands.ts";
import type { Repositories } from "./repositories.ts";

/** For all of a push to arrive. */
const RECEIVE_TIMEOUT_MS = 10 * 60_000;
/** Of the list of a repository's branches. */
const MAX_BRANCHES_BYTES = 16 * 2 ** 20;
/** Of a repository: each is a file, and listed for every push and clone. */
const MAX_BRANCHES = 5000;
const DEFAULT_BRANCHES = ["main", "master"];

/** git-config(1). */
const CONFIG = {
  // All references but branches; the one that says so for all of Git's servers comes first.
  "transfer.hideRefs": "refs",
  "receive.hideRefs": "!refs/heads",
  "receive.denyDeleteCurrent": "ignore",
  "receive.shallowUpdate": "true",
};

/** What came of a push. */
export interface Pushed {
  /** The new commit of each branch, `null` of those that were deleted. */
  branches: ReadonlyMap<string, string | null>;
  /** The branch that a clone checks out, and that is the project's production unless its settings say another. */
  defaultBranch: string;
}

/** Who is told of a push, and tells what becomes of it. */
export interface PushFollower {
  /** Called once all branches of a push are what they are to be, while the client waits. */
  pushed(pushed: Pushed, tell: (text: string) => void): Promise<void>;
}

/**
 * Receives a push, and tells over its answer what becomes of it. What was received is followed up to its end, also when the
 * client leaves.
 *
 * @param body The request of the client: commands, then a pack.
 * @returns The answer's body; `null` if nothing is asked for, as when a client tries its credentials.
 * @throws {ApiError} `badRequest`: it is no push.
 */
export async function receivePush(
  body: ReadableStream<Uint8Array>,
  { repositories, projectId, follower }: {
    repositories: Repositories;
    projectId: string;
    follower: PushFollower;
  },
): Promise<ReadableStream<Uint8Array> | null> {
  const reader = new PacketReader(body);
  const commands = await readPushCommands(reader);
  if (commands.bytes.length === 1) return null;
  const answer = new PushAnswer(commands.hasSideBand);
  const push = { repositories, projectId, commands, pack: reader.rest() };
  repositories.attend(
    followUp(push, answer, follower).finally(async () => {
      answer.end();
      await reader.cancel();
    }),
  );
  return answer.body;
}

interface Push {
  repositories: Repositories;
  projectId: string;
  commands: PushCommands;
  /** What comes after the commands. */
  pack: AsyncIterable<Uint8Array>;
}

async function followUp(push: Push, answer: PushAnswer, follower: PushFollower): Promise<void> {
  const { repositories, projectId } = push;
  let pushed: Pushed;
  try {
    pushed = await repositories.change(projectId, () => receive(push, answer));
  } catch (error) {
    answer.fail(refusalOf(error, projectId));
    return;
  }
  if (pushed.branches.size === 0) return;
  try {
    await follower.pushed(pushed, (text) => answer.tell(text));
    await repositories.tidy(projectId);
  } catch (error) {
    console.error(`Cannot follow up a push to project "${projectId}":`, error);
    answer.tell("error: The server failed to deploy it: its log says why");
  }
}

async function receive(
  { repositories, projectId, commands, pack }: Push,
  answer: PushAnswer,
): Promise<Pushed> {
  const maxBytes = await repositories.room(projectId);
  if (maxBytes === 0) throw new GitError("the repository is full: delete branches, or push to a new project");
  assertFewBranches(await branchesOf(repositories, projectId), commands);
  await using git = repositories.start(projectId, {
    args: ["receive-pack", "--stateless-rpc", repositories.pathInside(projectId)],
    writable: true,
    config: { ...CONFIG, "receive.maxInputSize": String(maxBytes) },
    stdin: ReadableStream.from(requestOf(commands, pack)),
    timeoutMs: RECEIVE_TIMEOUT_MS,
  });
  const output = new PacketReader(git.stdout);
  // The end of the list is the end of the answer, for which it is early.
  for (let payload = await output.next(); payload !== undefined; payload = await output.next()) {
    if (payload !== null) answer.pass(payload);
  }
  await git.success();
  const now = await branchesOf(repositories, projectId);
  return {
    branches: new Map([...commands.branches].filter(([branch, sha]) => (now.get(branch) ?? null) === sha)),
    defaultBranch: await setDefaultBranch(repositories, projectId, now),
  };
}

/** @throws {GitError} It would have too many; each can be deleted. */
function assertFewBranches(before: ReadonlyMap<string, string>, { branches }: PushCommands): void {
  const made = [...branches].filter(([branch, sha]) => sha !== null && !before.has(branch)).length;
  if (made === 0 || before.size + made <= MAX_BRANCHES) return;
  throw new GitError(`a repository has ${MAX_BRANCHES} branches at most: delete some first`);
}

async function* requestOf(
  { bytes }: PushCommands,
  pack: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield* bytes;
  for await (const chunk of pack) yield new Uint8Array(chunk);
}

async function branchesOf(repositories: Repositories, projectId: string): Promise<Map<string, string>> {
  const args = ["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"];
  const lines = (await repositories.output(projectId, args, MAX_BRANCHES_BYTES)).split("\n").filter(Boolean);
  return new Map(lines.map((line) => {
    const [sha = "", branch = ""] = line.split(" ");
    return [branch, sha];
  }));
}

/** `main`, else `master`, else the one that it was, else any. */
async function setDefaultBranch(
  repositories: Repositories,
  projectId: string,
  branches: ReadonlyMap<string, string>,
): Promise<string> {
  const current = (await repositories.output(projectId, ["symbolic-ref", "--short", "HEAD"], 4096)).trim();
  const next = [...DEFAULT_BRANCHES, current, ...branches.keys()].find((branch) => branches.has(branch));
  if (next === undefined || next === current) return current;
  await repositories.write(projectId, ["symbolic-ref", "HEAD", `refs/heads/${next}`]);
  return next;
}

function refusalOf(error: unknown, projectId: string): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof GitError) return `Cannot take the push: ${error.message}`;
  if (error instanceof DOMException) return "The server is ending: try again";
  console.error(`Cannot take a push to project "${projectId}":`, error);
  return "The server failed to take the push: its log says why";
}
