import type { DeploymentContext, DeploymentStatus, GitCommit, Limits, Project } from "../../model.ts";
import { branchHostname, previewHostname, productionHostname } from "../../routing/routes.ts";
import type { DeploymentRecord } from "../../store/mod.ts";
import type { ApiDeps } from "../deps.ts";

/** `Deployment` of the reference document, and what INTERFACE §6 adds. */
export interface DeploymentJson {
  id: string;
  projectId: string;
  description: string | null;
  status: DeploymentStatus;
  /** The hostnames that lead to it now. */
  domains: string[];
  databases: Record<string, string>;
  /** In ms; `null` = none. */
  requestTimeout: number | null;
  permissions: { net: string[] } | null;
  /** The same as URLs, by HTTPS where there is a certificate. */
  urls: string[];
  /** The first of them. */
  url: string | null;
  production: boolean;
  /** When it last became the production; `null` = it never was. */
  promotedAt: string | null;
  /** Which of its project's variables it has. */
  context: DeploymentContext;
  /** The deployment whose snapshot it shares. */
  redeployOf: string | null;
  /** The commit that it was made from. */
  git: GitCommit | null;
  /** Those in force: what was asked for over the machine's defaults. */
  limits: Limits;
  createdAt: string;
  updatedAt: string;
}

/** A deployment as the API shows it. Its environment is not shown. */
export function deploymentJson(deps: ApiDeps, record: DeploymentRecord, project: Project): DeploymentJson {
  const limits = { ...deps.limits, ...record.limits };
  const domains = hostnames(deps, record, project);
  const urls = domains.filter((hostname) => !hostname.startsWith("*.")).map(deps.publicUrl);
  return {
    id: record.id,
    projectId: record.projectId,
    description: record.description,
    status: record.status,
    domains,
    databases: record.databases,
    requestTimeout: limits.requestTimeoutMs === 0 ? null : limits.requestTimeoutMs,
    permissions: record.net === null ? null : { net: record.net },
    urls,
    url: urls[0] ?? null,
    production: project.productionDeploymentId === record.id,
    promotedAt: record.promotedAt,
    context: record.context,
    redeployOf: record.redeployOf,
    git: record.git,
    limits,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
  };
}

function hostnames({ store, baseDomain }: ApiDeps, record: DeploymentRecord, project: Project): string[] {
  if (record.status !== "success") return [];
  const found = new Set<string>();
  if (record.domains === null) {
    found.add(previewHostname(project.name, record.id, baseDomain));
    if (project.productionDeploymentId === record.id) found.add(productionHostname(project.name, baseDomain));
    const label = store.branches.labelOf(record.id);
    if (label !== null) found.add(branchHostname(project.name, label, baseDomain));
  }
  for (const hostname of store.hostnames.of(record.id)) found.add(hostname);
  return [...found];
}
