import { ApiError } from "../api/errors.ts";
import type { GitBranch, GitLink, Project } from "../model.ts";
import { SnapshotError } from "../snapshot/snapshot_error.ts";
import { Turn } from "../scheduling/turn.ts";
import { closeBranch, type CloseBranchDeps } from "./close_branch.ts";
import type { CommitLocation } from "./commit_objects.ts";
import type { CommitStatus } from "./commit_status.ts";
import { deployCommit, type DeployCommitDeps } from "./deploy_commit.ts";
import { GitError } from "./git_process.ts";
import { MAX_BRANCHES, type RemoteRepository } from "./remote_repository.ts";

/** Which repository is looked at for which project. */
export interface Following {
  project: Project;
  link: GitLink;
  remote: RemoteRepository;
  /** Where the repository's commits are fetched to. */
  location: CommitLocation;
  /** Tells how it stands with a commit. */
  report(status: Pick<CommitStatus, "sha" | "state" | "description">, deploymentId: string | null): void;
}

/** That come of one look at a repository. */
const MAX_DEPLOYMENTS = 20;

/**
 * Deploys the branches of a repository that have changed since the last look, the production branch first. At the first look
 * it is the only one.
 *
 * @returns Whether there are more than are deployed in one look.
 * @throws {GitError} The repository cannot be read, or does not have the production branch.
 */
export async function followBranches(deps: CloseBranchDeps, following: Following): Promise<boolean> {
  const { project, link, remote } = following;
  const { gitLinks } = deps.store;
  const { heads, defaultBranch } = await remote.heads();
  const known = new Map(gitLinks.branches(project.id).map((branch) => [branch.branch, branch]));
  for (const branch of known.keys()) {
    if (heads.has(branch)) continue;
    gitLinks.removeBranch(project.id, branch);
    await closeBranch(deps, project.id, branch);
  }
  if (heads.size === 0) throw new GitError(`Cannot deploy from "${link.url}": it has no branch yet`);
  const production = link.productionBranch ?? defaultBranch;
  const followed = [...heads].filter(([branch]) => branch !== production).slice(0, MAX_BRANCHES);
  const isFirst = known.size === 0;
  let deployed = 0;
  const head = production === null ? undefined : heads.get(production);
  if (head !== undefined && (gitLinks.isStale(project.id) || known.get(production!)?.sha !== head)) {
    gitLinks.refreshed(project.id);
    await deployBranch(deps, following, { branch: production!, head, production: true });
    deployed++;
  }
  const turn = new Turn();
  for (const [branch, sha] of followed) {
    if (turn.isOver()) await turn.next();
    if (known.get(branch)?.sha === sha) continue;
    const note = isFirst
      ? "It was there before the project followed the repository"
      : link.previews
      ? null
      : "Previews are switched off";
    if (note !== null) {
      gitLinks.setBranch(project.id, { branch, sha, state: "skipped", deploymentId: null, note });
    } else if (deployed++ >= MAX_DEPLOYMENTS) return true;
    else await deployBranch(deps, following, { branch, head: sha, production: false });
  }
  if (head === undefined) {
    throw new GitError(
      production === null
        ? `Cannot find the production branch of "${link.url}": its HEAD is no branch. Set productionBranch`
        : `Cannot find the production branch "${production}" in "${link.url}"`,
    );
  }
  return false;
}

async function deployBranch(
  deps: DeployCommitDeps,
  { project, link, remote, location, report }: Following,
  { branch, head, production }: { branch: string; head: string; production: boolean },
): Promise<void> {
  const { gitLinks } = deps.store;
  let sha = head;
  const record = (done: Pick<GitBranch, "state" | "deploymentId" | "note">) =>
    gitLinks.setBranch(project.id, { branch, sha, ...done });
  try {
    sha = await remote.fetch(branch);
    const deployment = await deployCommit(deps, { ...location, project, sha, branch, production });
    if (deployment === null) {
      return record({
        state: "skipped",
        deploymentId: null,
        note: "Its message says that it is not to be deployed",
      });
    }
    record({ state: "deployed", deploymentId: deployment.id, note: null });
    deps.store.audit.record({
      organizationId: project.organizationId,
      tokenId: null,
      actor: `git push to ${branch} of ${link.url}`,
      action: "create deployment",
      target: deployment.id,
      address: null,
    });
    report({ sha, state: "pending", description: `Building deployment ${deployment.id}` }, deployment.id);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    record({ state: "failed", deploymentId: null, note: error.message });
    report({ sha, state: "failure", description: error.message }, null);
  }
}

/** Whether the same commit would be refused again; a server that has too much to do is no reason to give up. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof ApiError) return error.code !== "overloaded" && error.code !== "internal";
  return error instanceof SnapshotError || error instanceof GitError && error.isBound;
}
