import type { Context } from "hono";
import type { Project } from "../../model.ts";
import type { Principal, Role } from "../../store/mod.ts";
import type { ApiEnv } from "../deps.ts";

/** Each role may do what those before it may. */
const RANK = { read: 0, deploy: 1, write: 2, admin: 3 } as const satisfies Record<Role, number>;

/** Whose something is: a project's, by its id, or with `null` its organization's as a whole, as a domain is. */
export interface Owner {
  organizationId: string;
  id: string | null;
}

/** Whether a token's role includes another. */
export function hasRole(principal: Pick<Principal, "role">, role: Role): boolean {
  return RANK[principal.role] >= RANK[role];
}

/** Whether something is within a token's bound: what is not does not exist for it. */
export function sees(principal: Pick<Principal, "organizationId" | "projectId">, owner: Owner): boolean {
  if (principal.organizationId === null) return true;
  return owner.organizationId === principal.organizationId &&
    (principal.projectId === null || owner.id === principal.projectId);
}

/** Whether a token may do to a project what a role allows. */
export function permits(principal: Principal, role: Role, project: Project): boolean {
  return sees(principal, project) && hasRole(principal, role);
}

/**
 * Whether the token of a call sees something, by which the call finds it or answers as if it did not exist. The audit log
 * has the call as one of its organization.
 */
export function admits(c: Context<ApiEnv>, owner: Owner): boolean {
  if (!sees(c.get("principal"), owner)) return false;
  c.set("organizationId", owner.organizationId);
  return true;
}
