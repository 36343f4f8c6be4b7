import { abandonBuild } from "./abandon_build.ts";
import type { DeployCommitDeps } from "./deploy_commit.ts";

/** What {@linkcode closeBranch} needs from the rest of the server. */
export interface CloseBranchDeps extends DeployCommitDeps {
  /** Resolves once all changes of routes so far are in force. */
  routed(): Promise<void>;
}

/** Follows the deletion of a branch: it has no URL any more, and will not get one by a build that has not ended. */
export async function closeBranch(deps: CloseBranchDeps, projectId: string, branch: string): Promise<void> {
  for (const pending of deps.store.deployments.pendingOf(projectId, branch)) {
    abandonBuild(deps, pending, `branch "${branch}" was deleted`);
  }
  if (deps.store.branches.close(projectId, branch)) await deps.routed();
}
