import type { Limits, Project } from "./model.ts";
import type { Route, RouteTable } from "../runner/mod.ts";

/** All that a route table is made of. */
export interface RouteSource {
  projects: Pick<Project, "id" | "name" | "productionDeploymentId">[];
  /** Those that succeeded. */
  deployments: { id: string; projectId: string; limits: Partial<Limits>; defaultUrls: boolean }[];
  /** Custom domains. A hostname is attached once. */
  domains: { hostname: string; deploymentId: string }[];
}

/** What the operator set. */
export interface RouteOptions {
  /** Platform domain of the default URLs. */
  baseDomain: string;
  /** The machine's defaults, for what a deployment does not say. */
  limits: Limits;
}

/** The hostname of a project's production deployment. */
export function productionHostname(projectName: string, baseDomain: string): string {
  return `${projectName}.${baseDomain}`;
}

/** The hostname of one deployment, for ever. */
export function previewHostname(projectName: string, deploymentId: string, baseDomain: string): string {
  return `${projectName}-${deploymentId}.${baseDomain}`;
}

/**
 * Makes the table of every hostname served (INTERFACE §2). A deployment that was created with a list of domains, even an
 * empty one, has no default URLs. A default URL comes before a custom domain of the same name.
 */
export function routeTable(source: RouteSource, options: RouteOptions): RouteTable {
  const routes = new Map<string, Route>();
  const projects = new Map(source.projects.map((project) => [project.id, project]));
  const byDeployment = new Map<string, Route>();
  for (const { id, limits } of source.deployments) {
    byDeployment.set(id, {
      deploymentId: id,
      maxConcurrency: limits.maxConcurrency ?? options.limits.maxConcurrency,
      requestTimeoutMs: limits.requestTimeoutMs ?? options.limits.requestTimeoutMs,
    });
  }
  for (const { hostname, deploymentId } of source.domains) {
    const route = byDeployment.get(deploymentId);
    if (route !== undefined) routes.set(hostname, route);
  }
  for (const { id, projectId, defaultUrls } of source.deployments) {
    const project = projects.get(projectId);
    const route = byDeployment.get(id);
    if (!defaultUrls || project === undefined || route === undefined) continue;
    routes.set(previewHostname(project.name, id, options.baseDomain), route);
    if (project.productionDeploymentId === id) {
      routes.set(productionHostname(project.name, options.baseDomain), route);
    }
  }
  return routes;
}
