import type { Limits, Project } from "../model.ts";
import type { Route, RouteTable } from "../../runner/mod.ts";

/** What the routes of some projects, or of all, are made of. */
export interface RouteSource {
  projects: Pick<Project, "id" | "name" | "productionDeploymentId" | "accessLog">[];
  /** Those that succeeded. */
  deployments: { id: string; projectId: string; limits: Partial<Limits>; defaultUrls: boolean }[];
  /** What is attached to deployments. A hostname is attached once. */
  hostnames: { hostname: string; deploymentId: string }[];
  /** The branches of which deployments are the newest, as their hostnames call them. */
  branches: { label: string; deploymentId: string }[];
}

/** What the operator set. */
export interface RouteOptions {
  /** Platform domain of the default URLs. */
  baseDomain: string;
  /** The machine's defaults, for what a deployment does not say. */
  limits: Limits;
}

/** The hostnames of one project, by why it has them. */
export interface ProjectRoutes {
  defaults: RouteTable;
  branches: RouteTable;
  custom: RouteTable;
}

/** The hostname of a project's production deployment. */
export function productionHostname(projectName: string, baseDomain: string): string {
  return `${projectName}.${baseDomain}`;
}

/** The hostname of one deployment, for ever. */
export function previewHostname(projectName: string, deploymentId: string, baseDomain: string): string {
  return `${projectName}-${deploymentId}.${baseDomain}`;
}

/** The hostname of what is newest of a branch. */
export function branchHostname(projectName: string, label: string, baseDomain: string): string {
  return `${projectName}--${label}.${baseDomain}`;
}

/**
 * Finds every hostname of each project (INTERFACE §2). A deployment that was created with a list of domains, even an empty
 * one, has no default URLs.
 */
export function projectRoutes(source: RouteSource, options: RouteOptions): Map<string, ProjectRoutes> {
  const projects = new Map(source.projects.map(({ id, name, productionDeploymentId, accessLog }) => {
    const defaults = new Map<string, Route>();
    const branches = new Map<string, Route>();
    const custom = new Map<string, Route>();
    return [id, { name, productionDeploymentId, accessLog, defaults, branches, custom }];
  }));
  const deployments = new Map<string, { route: Route; custom: Map<string, Route> }>();
  const labels = new Map(source.branches.map(({ label, deploymentId }) => [deploymentId, label]));
  for (const { id, projectId, limits, defaultUrls } of source.deployments) {
    const project = projects.get(projectId);
    if (project === undefined) continue;
    const { name, productionDeploymentId, accessLog, defaults, branches, custom } = project;
    const route: Route = {
      deploymentId: id,
      maxConcurrency: limits.maxConcurrency ?? options.limits.maxConcurrency,
      requestTimeoutMs: limits.requestTimeoutMs ?? options.limits.requestTimeoutMs,
      ...(accessLog && { accessLog }),
    };
    deployments.set(id, { route, custom });
    if (!defaultUrls) continue;
    defaults.set(previewHostname(name, id, options.baseDomain), route);
    if (productionDeploymentId === id) defaults.set(productionHostname(name, options.baseDomain), route);
    const label = labels.get(id);
    if (label !== undefined) branches.set(branchHostname(name, label, options.baseDomain), route);
  }
  for (const { hostname, deploymentId } of source.hostnames) {
    const deployment = deployments.get(deploymentId);
    deployment?.custom.set(hostname, deployment.route);
  }
  return projects;
}
