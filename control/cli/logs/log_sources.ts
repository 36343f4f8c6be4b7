import type { ApiDeployment } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import { type ApiClient, deploymentPath } from "../client.ts";
import { existingProject } from "../existing_project.ts";
import type { LogSource } from "./log_tail.ts";

/** A log, and what it is called beside others. */
export interface NamedSource extends LogSource {
  label: string;
  /** `null` = those of a whole project. */
  deploymentId: string | null;
  /** The project of whose production it is. */
  project?: string;
  /** False of an access log that is off. */
  isOn?: boolean;
}

/** Of what logs are shown: names or ids of projects, ids of deployments. */
export interface LogTargets {
  projects: readonly string[];
  deployments: readonly string[];
}

/** What deployments wrote: of a project, that of its production, else its newest. */
export async function appLogSources(
  client: ApiClient,
  targets: LogTargets,
  query: LogSource["query"],
): Promise<NamedSource[]> {
  const ofProjects = await Promise.all(
    named(targets).projects.map(async (name) => {
      const { id } = await currentDeployment(client, name);
      return { label: name, deploymentId: id, project: name };
    }),
  );
  const ofDeployments = targets.deployments.map((id) => ({ label: id, deploymentId: id }));
  return [...ofProjects, ...ofDeployments].map((source) => ({
    ...source,
    path: appLogPath(source.deploymentId),
    query,
  }));
}

/** What was asked of projects, or of single deployments. */
export async function accessLogSources(
  client: ApiClient,
  targets: LogTargets,
  query: LogSource["query"],
): Promise<NamedSource[]> {
  const path = (projectId: string) => `/v1/projects/${projectId}/access_logs`;
  const ofProjects = named(targets).projects.map(async (name) => {
    const { id, accessLog } = await existingProject(client, name);
    return { label: name, deploymentId: null, path: path(id), query, isOn: accessLog };
  });
  const ofDeployments = targets.deployments.map(async (id) => {
    const { projectId } = await client.deployment(id);
    return { label: id, deploymentId: id, path: path(projectId), query: { ...query, deployment: id } };
  });
  return await Promise.all([...ofProjects, ...ofDeployments]);
}

/** Where the API has what a deployment wrote. */
export function appLogPath(deploymentId: string): string {
  return deploymentPath(deploymentId, "app_logs");
}

function named(targets: LogTargets): LogTargets {
  if (targets.projects.length + targets.deployments.length > 0) return targets;
  throw new CliError("usage", "Cannot show a log: name its --project or --deployment");
}

/** The production of a project, else its newest deployment. */
export async function currentDeployment(client: ApiClient, name: string): Promise<ApiDeployment> {
  const project = await existingProject(client, name);
  const newestFirst = await client.deployments(project.id);
  const current = newestFirst.find(({ production }) => production) ?? newestFirst[0];
  if (current) return current;
  throw new CliError("failed", `Cannot show a log: project "${project.name}" has no deployment`);
}
