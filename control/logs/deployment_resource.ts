import type { Database } from "../store/mod.ts";
import { subhosterOf } from "../subhosting/subhoster_of.ts";
import type { OtlpResource } from "./otlp_request.ts";

/** What OpenTelemetry's semantic conventions call the service and the environment of a deployment. */
export function deploymentResource(database: Database, deploymentId: string): OtlpResource {
  const subhosterId = subhosterOf(deploymentId);
  if (subhosterId !== null) return { "service.name": subhosterId };
  const found = database.get<{ project: string; isProduction: 0 | 1 }>(
    `SELECT projects.name AS project, production_deployment_id IS deployments.id AS isProduction
     FROM deployments JOIN projects ON projects.id = project_id WHERE deployments.id = ?`,
    deploymentId,
  );
  // It was deleted while its last lines were on the way.
  if (found === undefined) return { "service.name": deploymentId };
  return {
    "service.name": found.project,
    "deployment.environment.name": found.isProduction ? "production" : "preview",
  };
}
