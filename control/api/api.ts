import { Hono } from "hono";
import { analyticsRoutes } from "./analytics.ts";
import { assetRoutes } from "./asset_uploads.ts";
import { authenticate } from "./auth.ts";
import { deploymentRoutes } from "./deployments.ts";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { domainRoutes } from "./domains.ts";
import { ApiError, errorResponse } from "./errors.ts";
import { guard } from "./guard.ts";
import { HOME_PAGE } from "./home_page.ts";
import { logRoutes } from "./logs.ts";
import { organizationRoutes } from "./organizations.ts";
import { projectRoutes } from "./projects.ts";

/** Nothing on the home page loads or runs anything. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** Makes the handler of the control address. It holds nothing that has to be closed. */
export function createApi(deps: ApiDeps): (request: Request) => Promise<Response> {
  const app = new Hono()
    .onError(errorResponse)
    .notFound((c) => {
      throw new ApiError("notFound", `There is no ${c.req.method} ${c.req.path}`);
    })
    .use(async (c, next) => {
      await next();
      c.header("x-deno-ray", crypto.randomUUID());
      c.header("x-content-type-options", "nosniff");
    })
    .use(guard(deps.controlHostnames))
    .get("/", (c) => c.html(HOME_PAGE, 200, { "content-security-policy": CONTENT_SECURITY_POLICY }))
    .get("/healthz", (c) => {
      const health = deps.health();
      return c.json(health, health.status === "ok" ? 200 : 503);
    })
    .get("/metrics", (c) => c.text(deps.metrics(), 200, { "content-type": "text/plain; version=0.0.4" }))
    .route("/v1", v1(deps));
  return async (request) => {
    // fetch() sends "patch" as it is, unlike "get" or "post", and the official client writes it so.
    const isPatch = request.method === "patch";
    return await app.fetch(isPatch ? new Request(request, { method: "PATCH" }) : request);
  };
}

function v1(deps: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .use(authenticate(deps.store.tokens))
    .use(async (c, next) => {
      await next();
      c.header("cache-control", "no-store");
    })
    .route("/organizations", organizationRoutes(deps))
    .route("/", projectRoutes(deps))
    .route("/", deploymentRoutes(deps))
    .route("/", domainRoutes(deps))
    .route("/", assetRoutes(deps))
    .route("/", logRoutes(deps))
    .route("/", analyticsRoutes(deps))
    .get("/isolates", async (c) => c.json(await deps.isolates()));
}
