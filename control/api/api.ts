import { Hono } from "hono";
import { deployctlRoutes } from "./deployctl/deployctl_routes.ts";
import { accessLogRoutes } from "./logs/access_logs.ts";
import { analyticsRoutes } from "./logs/analytics.ts";
import { assetRoutes } from "./deployments/asset_uploads.ts";
import { audited } from "./access/audit.ts";
import { auditRoutes } from "./access/audit_routes.ts";
import { authenticate } from "./access/auth.ts";
import { authorize } from "./access/authorize.ts";
import { databaseRoutes } from "./projects/databases.ts";
import { deploymentRoutes } from "./deployments/deployments.ts";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { domainRoutes } from "./domains/domains.ts";
import { ApiError, errorResponse } from "./errors.ts";
import { gitRoutes } from "./git/git.ts";
import { webhookRoutes } from "./git/git_webhooks.ts";
import { guard } from "./access/guard.ts";
import { HOME_PAGE } from "./home_page.ts";
import { idempotent } from "./idempotency.ts";
import { loginRoutes } from "./access/login.ts";
import { logRoutes } from "./logs/logs.ts";
import { organizationRoutes } from "./access/organizations.ts";
import { checkPathIds } from "./path_ids.ts";
import { endedByRevocation } from "./access/revocation.ts";
import { projectVariableRoutes } from "./projects/project_variables.ts";
import { projectRoutes } from "./projects/projects.ts";
import { deploymentDiffRoutes } from "./deployments/deployment_diff.ts";
import { pushRoutes } from "./git/push.ts";
import { subhosterRoutes } from "./subhosting/subhosters.ts";
import { tokenRoutes } from "./access/tokens.ts";

/** Nothing on the home page loads or runs anything. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** An IPv4 address, as a socket for both has it (RFC 4291 §2.5.5.2). */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** Answers a request to the control address. */
export type ApiHandler = (request: Request, info: { remoteAddr: Deno.Addr }) => Promise<Response>;

/** Makes the handler of the control address. It holds nothing that has to be closed. */
export function createApi(deps: ApiDeps): ApiHandler {
  const app = controlApp(deps);
  return async (request, { remoteAddr }) => {
    // fetch() sends "patch" as it is, unlike "get" or "post", and the official client writes it so.
    const isPatch = request.method === "patch";
    const peer = "hostname" in remoteAddr ? remoteAddr.hostname.replace(MAPPED, "") : "";
    const address = deps.clientAddress(peer, request.headers);
    return await app.fetch(isPatch ? new Request(request, { method: "PATCH" }) : request, { address });
  };
}

/** All routes of the control address. */
export function controlApp(deps: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
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
    .get(
      "/metrics",
      async (c) => c.text(await deps.metrics(), 200, { "content-type": "text/plain; version=0.0.4" }),
    )
    .route("/", loginRoutes(deps))
    .route("/api", deployctl(deps))
    .route("/git/webhooks", webhookRoutes(deps))
    .route("/git", pushRoutes(deps))
    .route("/v1", withToken(deps).route("/", v1(deps)));
}

/** The calls of the retired command line; its `deployctl api` calls the API itself. */
function deployctl(deps: ApiDeps): Hono<ApiEnv> {
  return withToken(deps).route("/", deployctlRoutes(deps)).route("/v1", v1(deps));
}

/** Calls that need a token, and are in the audit log if they change something. */
function withToken({ authenticator, store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .use(authenticate(authenticator))
    .use(authorize())
    .use(audited(store.audit))
    .use(endedByRevocation(store.tokens));
}

function v1(deps: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .use(async (c, next) => {
      await next();
      c.header("cache-control", "no-store");
    })
    .use(checkPathIds())
    .use(idempotent())
    .route("/organizations", organizationRoutes(deps))
    .route("/tokens", tokenRoutes(deps))
    .route("/audit", auditRoutes(deps))
    .route("/", projectRoutes(deps))
    .route("/", projectVariableRoutes(deps))
    .route("/", gitRoutes(deps))
    .route("/", deploymentRoutes(deps))
    .route("/", deploymentDiffRoutes(deps))
    .route("/", databaseRoutes(deps))
    .route("/", domainRoutes(deps))
    .route("/", assetRoutes(deps))
    .route("/", logRoutes(deps))
    .route("/", accessLogRoutes(deps))
    .route("/", analyticsRoutes(deps))
    .route("/", subhosterRoutes(deps))
    .get("/isolates", async (c) => c.json(await deps.isolates()));
}
