import type { ApiDeps } from "../../api/deps.ts";
import { deploymentJson } from "../../api/deployments/deployment_json.ts";
import { ApiError } from "../../api/errors.ts";
import type { Project } from "../../model.ts";
import { SnapshotError } from "../../snapshot/snapshot_error.ts";
import type { DeploymentRecord } from "../../store/mod.ts";
import { closeBranch } from "../close_branch.ts";
import { deployCommit } from "../deploy_commit.ts";
import { GitError } from "../git_process.ts";
import type { Pushed } from "./receive_push.ts";

/** Deployed of one push; whoever has more pushes again. */
const MAX_DEPLOYMENTS = 20;
/** How long whoever pushes waits for the builds. They go on. */
const MAX_WAIT_MS = 10 * 60_000;

/** What was pushed where, and how that is told. */
export interface BranchesToDeploy extends Pushed {
  projectId: string;
  /** Shows a text to whoever pushes. */
  tell(text: string): void;
}

/** Deploys the branches of a push, and tells of each build until it has ended. What was deleted has no URL any more. */
export async function deployBranches(
  deps: ApiDeps,
  { projectId, branches, defaultBranch, tell }: BranchesToDeploy,
): Promise<void> {
  const waited = AbortSignal.timeout(MAX_WAIT_MS);
  const deployments: { branch: string; id: string }[] = [];
  for (const [branch, sha] of branches) {
    if (sha === null) {
      await closeBranch(deps, projectId, branch);
    } else if (deployments.length === MAX_DEPLOYMENTS) {
      tell(`error: Only ${MAX_DEPLOYMENTS} branches of a push are deployed: push "${branch}" again`);
    } else {
      const record = await deploy(deps, { projectId, branch, sha, defaultBranch, tell });
      if (record !== null) deployments.push({ branch, id: record.id });
    }
  }
  for (const { branch, id } of deployments) {
    tell(`Building ${branch} as ${id}`);
    for await (const { level, message } of deps.logs.build.follow(id, waited)) {
      tell(level === "error" || level === "warning" ? `${level}: ${message}` : message);
    }
    tell(outcomeOf(deps, id));
  }
}

/** `null`, and why is told: it is not deployed. */
async function deploy(
  deps: ApiDeps,
  { projectId, branch, sha, defaultBranch, tell }: Omit<BranchesToDeploy, "branches"> & {
    branch: string;
    sha: string;
  },
): Promise<DeploymentRecord | null> {
  const { store, repositories } = deps;
  const project = store.projects.get(projectId);
  if (project === null) return null;
  const settings = store.gitLinks.get(projectId);
  const production = settings?.productionBranch ?? defaultBranch;
  if (branch !== production && settings?.previews === false) {
    tell(`Not deploying ${branch}: only ${production} is, by the project's git settings`);
    return null;
  }
  try {
    const commit = { project, branch, sha, production: branch === production };
    const record = await deployCommit(deps, { ...commit, ...repositories.location(projectId) });
    if (record === null) tell(`Not deploying ${branch}: the message of its commit says so`);
    return record;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    tell(`error: Cannot deploy ${branch}: ${error.message}`);
    return null;
  }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof GitError || error instanceof SnapshotError || error instanceof ApiError;
}

function outcomeOf(deps: ApiDeps, deploymentId: string): string {
  const record = deps.store.deployments.get(deploymentId);
  const project = record && deps.store.projects.get(record.projectId);
  if (!record || !project) return `error: Deployment ${deploymentId} was deleted meanwhile`;
  return OUTCOMES[record.status](deps, record, project);
}

const OUTCOMES = {
  success: (deps, record, project) =>
    ["Deployed:", ...deploymentJson(deps, record, project).urls].join("\n  "),
  failed: (_deps, { id }) =>
    `error: Deployment ${id} failed: what was there before stays. Mend it, commit and push again`,
  pending: (_deps, { id }) => `Still building ${id}: "isola deployments" shows what becomes of it`,
} satisfies Record<
  DeploymentRecord["status"],
  (deps: ApiDeps, record: DeploymentRecord, project: Project) => string
>;
