import type { RedeployChanges } from "../../deployments/redeploy.ts";
import { readLimits, readNet, redeployBody } from "./create_body.ts";
import { checkDomains, type Deployer } from "./create_domains.ts";
import { checkDatabases } from "../projects/databases.ts";
import type { ApiDeps } from "../deps.ts";
import { readJson } from "../input.ts";

/**
 * Reads and checks what a redeployment is to change.
 *
 * @throws {ApiError} `badRequest`, `domainTaken`.
 */
export async function readChanges(
  deps: ApiDeps,
  deployer: Deployer,
  request: Request,
): Promise<RedeployChanges> {
  const body = await readJson(request, redeployBody);
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
