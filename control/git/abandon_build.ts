import type { DeployCommitDeps } from "./deploy_commit.ts";

/**
 * Has a deployment whose build has not ended fail, because nobody wants it any more.
 *
 * @param reason A clause, such as `a newer commit took its place`.
 */
export function abandonBuild(
  { store, builds, logs, follower }: DeployCommitDeps,
  deploymentId: string,
  reason: string,
): void {
  builds.cancel(deploymentId);
  logs.build.append(deploymentId, { level: "warning", message: `Not built: ${reason}` });
  store.deployments.finish(deploymentId, { status: "failed" });
  logs.build.end(deploymentId);
  follower.finished(deploymentId, `Not built: ${reason}`);
}
