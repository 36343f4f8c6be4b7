import { submitDeployment, type SubmitDeps } from "../deployments/submit.ts";
import type { LogStore } from "../logs/mod.ts";
import type { GitSettings, Project } from "../model.ts";
import type { DeploymentRecord } from "../store/mod.ts";
import { abandonBuild } from "./abandon_build.ts";
import { chooseFiles } from "./commit_files.ts";
import { type CommitLocation, listTree, readCommit } from "./commit_objects.ts";
import { commitPage } from "./repository_url.ts";
import { storeFiles } from "./store_files.ts";

/** What {@linkcode deployCommit} needs from the rest of the server. */
export interface DeployCommitDeps extends SubmitDeps {
  builds: SubmitDeps["builds"] & {
    /** Ends a build that waits or runs, if there is one. */
    cancel(deploymentId: string): void;
  };
  logs: Pick<LogStore, "build">;
  follower: {
    /** Called when a deployment's build has ended; `reason` is why it has failed, if not by itself. */
    finished(deploymentId: string, reason?: string): void;
  };
}

/** A commit that is to be deployed. */
export interface CommitToDeploy extends CommitLocation {
  project: Project;
  /** Or another name of a commit that git understands. */
  sha: string;
  branch: string;
  /** Whether it becomes the production of its project. */
  production: boolean;
}

/** Of a project that says nothing else. */
export const DEFAULT_SETTINGS: Readonly<GitSettings> = {
  url: null,
  provider: "generic",
  apiUrl: null,
  productionBranch: null,
  previews: true,
  rootDirectory: "",
  entrypoint: null,
  buildCommand: null,
};

const SKIP = /\[(?:skip ci|ci skip|skip deploy|deploy skip|no ci)\]/i;
const MAX_DESCRIPTION_LENGTH = 200;

/**
 * Deploys a commit by its project's git settings. Deployments of the same branch whose build has not ended give way to it.
 *
 * @returns `null`: its message says that it is not to be deployed.
 * @throws {GitError | SnapshotError | ApiError} It cannot be deployed; with words for whoever pushed it.
 */
export async function deployCommit(
  deps: DeployCommitDeps,
  { project, sha, branch, production, ...location }: CommitToDeploy,
): Promise<DeploymentRecord | null> {
  const { store, logs } = deps;
  const settings = store.gitLinks.get(project.id) ?? DEFAULT_SETTINGS;
  const commit = await readCommit(location, sha);
  if (SKIP.test(commit.message)) return null;
  const tree = await listTree(location, commit.sha, settings.rootDirectory);
  const chosen = await chooseFiles(location, tree, settings);
  const { files, entrypoint } = await storeFiles(
    location,
    { blobs: store.blobs, projectId: project.id },
    chosen,
  );
  const { buildCommand } = settings;
  const record = submitDeployment(deps, project.id, {
    description: commit.message.split("\n", 1)[0]!.slice(0, MAX_DESCRIPTION_LENGTH),
    source: {
      entrypoint,
      importMap: null,
      lockFile: null,
      compilerOptions: null,
      ...(buildCommand === null ? {} : { buildCommand }),
    },
    files,
    env: {},
    net: null,
    limits: {},
    domains: null,
    production,
    git: { ...commit, branch, url: commitPage(settings, commit.sha) },
  });
  for (const message of chosen.warnings) logs.build.append(record.id, { level: "warning", message });
  supersedeOlder(deps, record, branch);
  return record;
}

function supersedeOlder(deps: DeployCommitDeps, { id, projectId }: DeploymentRecord, branch: string): void {
  for (const older of deps.store.deployments.pendingOf(projectId, branch)) {
    if (older === id) break;
    abandonBuild(deps, older, `deployment "${id}" of a newer commit on "${branch}" takes its place`);
  }
}
