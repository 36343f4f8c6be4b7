/**
 * The data plane: a request comes in, is routed by its hostname or by the token of its relay, goes through one isolate and
 * comes back. It knows hostnames, tokens, the addresses of isolates, and bytes. It refuses to know projects, databases,
 * processes, origins or the control API: it is handed a route table, and asks for an isolate by deployment.
 */
export { assertFree } from "./front/assert_free.ts";
export { steerHere } from "./front/steering.ts";
export { type ErrorCode, STATUS } from "./errors.ts";
export * from "./contract.ts";
export { TrustedProxies, type TrustedProxy } from "./front/trusted_proxies.ts";
export { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "./visitor_limits.ts";
export { type Runner, type RunnerSource, startRunner } from "./runner.ts";
