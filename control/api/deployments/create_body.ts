import { z } from "zod";
import type { Limits } from "../../model.ts";
import { buildCommand } from "./build_command.ts";
import { AssetIntake } from "./create_assets.ts";
import { domainText, netTarget } from "../names.ts";
import { isObject, variableOverrides, variables } from "../projects/variables.ts";

const MAX_NET_TARGETS = 1000;
const MAX_NET_LENGTH = 64 * 1024;
const MAX_COMPILER_OPTIONS_LENGTH = 16 * 1024;
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

/** Read with a deployment wherever it is shown. */
const compilerOptions = z.custom<Record<string, unknown>>(isObject, "must be an object")
  .refine(
    (options) => JSON.stringify(options).length <= MAX_COMPILER_OPTIONS_LENGTH,
    `must not be longer than ${MAX_COMPILER_OPTIONS_LENGTH} characters`,
  );

const permissions = z.object({
  net: z.array(netTarget).max(MAX_NET_TARGETS)
    .refine(
      (targets) => targets.join().length <= MAX_NET_LENGTH,
      `must not be longer than ${MAX_NET_LENGTH} characters together`,
    ).nullish(),
});
const domains = z.array(domainText).max(MAX_DOMAINS);

const databaseId = z.uuid("must be the id of a database");
/** By binding. There may be very many names in one that is refused: they are looked at before their values. */
const bindings = z.custom<Record<string, unknown>>(isObject, "must be an object")
  .refine(
    (databases) => Object.keys(databases).every((name) => name === "default"),
    `can name "default" only`,
  );

/** What a deployment is asked for when it is created, and again when it is made from another one. */
const SETTINGS = {
  description: z.string().max(1000).nullish(),
  production: z.boolean().nullish(),
  limits: limits.nullish(),
  requestTimeout: requestTimeoutMs.nullish(),
  permissions: permissions.nullish(),
  domains: domains.nullish(),
};

/** `CreateDeploymentRequest` of the reference document, and what INTERFACE §6 adds. Assets are taken in while they arrive. */
export const createBody = z.object({
  entryPointUrl: z.string().min(1),
  buildCommand: buildCommand.nullish(),
  importMapUrl: z.string().nullish(),
  lockFileUrl: z.string().nullish(),
  compilerOptions: compilerOptions.nullish(),
  assets: z.instanceof(AssetIntake, { error: "must be an object of assets by path" }),
  envVars: variables,
  databases: bindings.pipe(z.record(z.string(), databaseId)).nullish(),
  ...SETTINGS,
});

/** `RedeployRequest` of the reference document, and what INTERFACE §6 adds. `null` changes nothing but within an object. */
export const redeployBody = z.object({
  envVars: variableOverrides.nullish(),
  env_vars: variableOverrides.nullish(),
  databases: bindings.pipe(z.record(z.string(), databaseId.nullable())).nullish(),
  ...SETTINGS,
});

/** `*` is all, and so is no list. */
export function readNet(given: z.infer<typeof permissions> | null | undefined): string[] | null {
  const net = given?.net ?? null;
  return net === null || net.includes("*") ? null : [...new Set(net)];
}

/** The limits that a body asks for. */
export function readLimits(
  { limits, requestTimeout }: Pick<z.infer<typeof createBody>, "limits" | "requestTimeout">,
): Partial<Limits> {
  if (requestTimeout === null || requestTimeout === undefined) return limits ?? {};
  return { requestTimeoutMs: requestTimeout, ...limits };
}
