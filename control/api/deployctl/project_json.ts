import type { Organization, Project } from "../../model.ts";
import type { Store } from "../../store/mod.ts";

/** `Organization` of the client. One with a name has no members to be shown. */
export interface OrganizationJson {
  id: string;
  name: string;
  members: [];
}

/** `Project` of the client, without the build that is its production. */
export interface ProjectJson {
  id: string;
  name: string;
  type: "git";
  hasProductionDeployment: boolean;
  organizationId: string;
  organization: OrganizationJson;
  /** Names alone. */
  envVars: string[];
  createdAt: string;
  updatedAt: string;
}

/** An organization as the client reads it. */
export function organizationJson({ id, name }: Organization): OrganizationJson {
  return { id, name, members: [] };
}

/** A project as the client reads it. */
export function projectJson(store: Store, project: Project): ProjectJson {
  return {
    id: project.id,
    name: project.name,
    // The other type is a playground, for which the client prints an address that is not here.
    type: "git",
    hasProductionDeployment: project.productionDeploymentId !== null,
    organizationId: project.organizationId,
    organization: organizationJson(store.organizations.get(project.organizationId)!),
    envVars: store.variables.names(project.id),
    createdAt: project.createdAt,
    updatedAt: project.updatedAt,
  };
}
