import type { Project } from "../model.ts";
import type { Principal } from "../store/mod.ts";

/** Whether a token may see a project at all. What it may do there, {@linkcode authorize} has decided by the call. */
export function sees(principal: Principal, project: Pick<Project, "id" | "organizationId">): boolean {
  return project.organizationId === principal.organizationId;
}
