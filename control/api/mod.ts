/**
 * The control API (INTERFACE §6): HTTP in, the store and the injected parts of the server out. Everything from outside is
 * checked here. It refuses to know how deployments are built, started and routed to.
 *
 * ```ts
 * const api = createApi({ store, logs, builds, … });
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 8001 }, api);
 * ```
 */
export { type ApiHandler, createApi } from "./api.ts";
export { Authenticator } from "./access/auth.ts";
export type { DeploymentJson } from "./deployments/deployment_json.ts";
export type { ApiDeps, Health } from "./deps.ts";
export type { RefusedTokenStatus, SubhosterStatus } from "./subhosting/subhoster_status.ts";
