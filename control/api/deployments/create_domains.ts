import type { Project } from "../../model.ts";
import { previewHostname } from "../../routing/routes.ts";
import { type Principal, resolveTemplate } from "../../store/mod.ts";
import type { ApiDeps } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { isHostname } from "../names.ts";

/** As good as the id of a deployment that is still to be made. */
const ANY_DEPLOYMENT_ID = "x".repeat(12);

/** Who deploys to what. */
export interface Deployer {
  project: Project;
  principal: Pick<Principal, "projectId">;
}

/**
 * Checks the domains that a deployment is to have.
 *
 * @throws {ApiError} `badRequest`, or `domainTaken`: somebody else has it.
 */
export function checkDomains(
  { store, baseDomain }: Pick<ApiDeps, "store" | "baseDomain">,
  deployer: Deployer,
  templates: readonly string[],
): void {
  const { project } = deployer;
  for (const [index, template] of templates.entries()) {
    const problem = domainProblem(template, project.name, baseDomain);
    if (problem !== null) throw new ApiError("badRequest", `Invalid request: "domains.${index}": ${problem}`);
    const hostname = resolveTemplate(template, {
      projectName: project.name,
      deploymentId: ANY_DEPLOYMENT_ID,
    });
    assertFree(store, deployer, hostname);
  }
}

/**
 * Whether a hostname may be attached: what another organization has never, and with a token of one project neither what
 * another project has.
 *
 * @throws {ApiError} `domainTaken`.
 */
export function assertFree(
  { hostnames }: Pick<ApiDeps["store"], "hostnames">,
  { project, principal }: Deployer,
  hostname: string,
): void {
  const refused = (owner: string) =>
    new ApiError("domainTaken", `Cannot attach "${hostname}": another ${owner} has it`);
  if (!hostnames.isFreeFor(project.organizationId, hostname)) throw refused("organization");
  if (principal.projectId !== null && (hostnames.target(hostname)?.projectId ?? project.id) !== project.id) {
    throw refused("project");
  }
}

/**
 * Why a deployment cannot have that domain, or `null`. What is under the platform's own domain belongs to the projects of
 * those names; a deployment may only name what it has anyway.
 */
export function domainProblem(template: string, projectName: string, baseDomain: string): string | null {
  const deploymentId = ANY_DEPLOYMENT_ID;
  const hostname = resolveTemplate(template, { projectName, deploymentId });
  if (!isHostname(hostname)) {
    return "must be a hostname; {project.name} and {deployment.id} may stand in it";
  }
  const isUnderBase = hostname === baseDomain || hostname.endsWith(`.${baseDomain}`);
  if (isUnderBase && hostname !== previewHostname(projectName, deploymentId, baseDomain)) {
    return `must not be under "${baseDomain}", the platform's own domain`;
  }
  return null;
}
