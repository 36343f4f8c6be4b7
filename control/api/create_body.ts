import { z } from "zod";
import { previewHostname } from "../routes.ts";
import { resolveTemplate } from "../store/mod.ts";
import { domainText, isHostname, netTarget } from "./names.ts";
import { isObject, variables } from "./variables.ts";

const MAX_NET_TARGETS = 1000;
const MAX_DOMAINS = 100;

const HOUR_MS = 60 * 60 * 1000;

/** A time limit in ms. */
const requestTimeoutMs = z.int().min(0).max(HOUR_MS);

/** The ranges of `limits` (INTERFACE §4). */
const limits = z.object({
  memoryMb: z.int().min(32).max(65_536),
  cpuBlockMs: z.int().min(10).max(HOUR_MS),
  cpuMsPerRequest: z.int().min(1).max(HOUR_MS),
  bootTimeoutMs: z.int().min(100).max(10 * 60 * 1000),
  requestTimeoutMs,
  maxConcurrency: z.int().min(1).max(10_000),
}).partial();

/** `CreateDeploymentRequest` of the reference document, and what INTERFACE §6 adds. Assets are checked on their own. */
export const createBody = z.object({
  entryPointUrl: z.string().min(1),
  importMapUrl: z.string().nullish(),
  lockFileUrl: z.string().nullish(),
  compilerOptions: z.custom<Record<string, unknown>>(isObject, "must be an object").nullish(),
  assets: z.custom<Record<string, unknown>>(isObject, "must be an object of assets by path"),
  envVars: variables,
  databases: z.custom<Record<string, unknown>>(isObject, "must be an object").refine(
    (databases) => Object.keys(databases).length === 0,
    "must be empty: KV databases are not supported",
  ).nullish(),
  description: z.string().max(1000).nullish(),
  production: z.boolean().nullish(),
  limits: limits.nullish(),
  requestTimeout: requestTimeoutMs.nullish(),
  permissions: z.object({ net: z.array(netTarget).max(MAX_NET_TARGETS).nullish() }).nullish(),
  domains: z.array(domainText).max(MAX_DOMAINS).nullish(),
});

/**
 * Why a deployment cannot have that domain, or `null`. What is under the platform's own domain belongs to the projects of
 * those names; a deployment may only name what it has anyway.
 */
export function domainProblem(template: string, projectName: string, baseDomain: string): string | null {
  const deploymentId = "x".repeat(12);
  const hostname = resolveTemplate(template, { projectName, deploymentId });
  if (!isHostname(hostname)) {
    return "must be a hostname; {project.name} and {deployment.id} may stand in it";
  }
  const isUnderBase = hostname === baseDomain || hostname.endsWith(`.${baseDomain}`);
  if (isUnderBase && hostname !== previewHostname(projectName, deploymentId, baseDomain)) {
    return `must not be under "${baseDomain}", the platform's own domain`;
  }
  return null;
}
