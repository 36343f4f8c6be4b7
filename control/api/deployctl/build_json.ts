import { deploymentJson } from "../deployments/deployment_json.ts";
import type { ApiDeps } from "../deps.ts";
import type { Project } from "../../model.ts";
import type { DeploymentRecord } from "../../store/mod.ts";

/** `Deployment` of the client. */
export interface DeployedJson {
  id: string;
  projectId: string;
  description: string;
  /** Of the entry point, under `file:///src/`. */
  url: string;
  domainMappings: { domain: string; createdAt: string; updatedAt: string }[];
  /** Names alone. */
  envVars: string[];
  kvDatabases: Record<string, string>;
  createdAt: string;
  updatedAt: string;
}

/** `Build` of the client, without its project: a deployment, or what is to become one. */
export interface BuildJson {
  id: string;
  deploymentId: string;
  /** `null`: the build failed. Without domains: it goes on. */
  deployment: DeployedJson | null;
  /** An `error` among them says that the build failed. */
  logs: { type: string; code?: string; ctx?: string }[];
  relatedCommit?: {
    hash: string;
    branch?: string;
    message: string;
    authorName: string;
    authorEmail: string;
    authorGithubUsername: string;
    url: string;
  };
  createdAt: string;
}

/** A deployment as the client reads it in lists; `failure` says more than that a build failed. */
export function buildJson(
  deps: ApiDeps,
  record: DeploymentRecord,
  project: Project,
  failure = "The build failed: its log says why",
): BuildJson {
  const failed = record.status === "failed";
  return {
    id: record.id,
    deploymentId: record.id,
    deployment: failed ? null : deployedJson(deps, record, project),
    logs: failed ? [{ type: "error", code: "deploymentFailed", ctx: failure }] : [],
    ...relatedCommit(record),
    createdAt: record.createdAt,
  };
}

/** A deployment as the client reads it. */
export function deployedJson(deps: ApiDeps, record: DeploymentRecord, project: Project): DeployedJson {
  const { id, projectId, description, createdAt, updatedAt } = record;
  return {
    id,
    projectId,
    description: description ?? "",
    url: `file:///src/${record.source.entrypoint.split("/").map(encodeURIComponent).join("/")}`,
    domainMappings: publicHosts(deps, record, project).map((domain) => ({ domain, createdAt, updatedAt })),
    envVars: Object.keys({ ...record.projectEnv, ...record.env }),
    kvDatabases: record.databases,
    createdAt,
    updatedAt,
  };
}

/** Where a deployment is served, with the port where it is not the scheme's own: the client puts `https://` before it. */
export function publicHosts(deps: ApiDeps, record: DeploymentRecord, project: Project): string[] {
  return deploymentJson(deps, record, project).urls.map((url) => new URL(url).host);
}

function relatedCommit({ git }: DeploymentRecord): Pick<BuildJson, "relatedCommit"> {
  if (git === null) return {};
  return {
    relatedCommit: {
      hash: git.sha,
      ...(git.branch === null ? {} : { branch: git.branch }),
      message: git.message,
      authorName: git.author,
      authorEmail: "",
      authorGithubUsername: "",
      url: git.url ?? "",
    },
  };
}
