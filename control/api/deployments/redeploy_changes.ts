import type { z } from "zod";
import type { RedeployChanges } from "../../deployments/redeploy.ts";
import { readLimits, readNet, type redeployBody } from "./create_body.ts";
import { checkDomains, type Deployer } from "./create_domains.ts";
import { checkDatabases } from "../projects/databases.ts";
import type { ApiDeps } from "../deps.ts";

/**
 * Checks what a redeployment is to change.
 *
 * @throws {ApiError} `badRequest`, `domainTaken`.
 */
export function readChanges(
  deps: ApiDeps,
  deployer: Deployer,
  body: z.infer<typeof redeployBody>,
): RedeployChanges {
  const { description, permissions, domains, production } = body;
  checkDomains(deps, deployer, domains ?? []);
  checkDatabases(deps, deployer.project.organizationId, body.databases ?? {});
  return {
    env: { ...body.env_vars, ...body.envVars },
    databases: body.databases ?? {},
    limits: readLimits(body),
    ...(description === null || description === undefined ? {} : { description }),
    ...(permissions?.net ? { net: readNet(permissions) } : {}),
    ...(domains ? { domains } : {}),
    ...(typeof production === "boolean" ? { production } : {}),
  };
}
