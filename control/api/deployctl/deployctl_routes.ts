import { Hono } from "hono";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { deploymentRoutes } from "./deployment_routes.ts";
import { logRoutes } from "./log_routes.ts";
import { organizationRoutes } from "./organization_routes.ts";
import { projectRoutes } from "./project_routes.ts";

/**
 * `/api`: the calls of `deployctl`, the retired command line of Deno Deploy, whose users point `DEPLOY_API_ENDPOINT` at the
 * control address. Written after its source (github.com/denoland/deployctl, src/utils/api.ts, version 1.13.1), which takes
 * nothing but status 200 for a success, and as JSON only what has exactly the content type `application/json`.
 */
export function deployctlRoutes(deps: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/meta", (c) => c.json({ regionCodes: [deps.region] }))
    .route("/", organizationRoutes(deps))
    .route("/", projectRoutes(deps))
    .route("/", deploymentRoutes(deps))
    .route("/", logRoutes(deps));
}
