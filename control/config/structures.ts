import { isIP } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";
import { DAY_MS, hostname, integer, limits, network, oneOf, path, target, text, url } from "./values.ts";
import type { TrustedProxy, VisitorLimits } from "../../runner/mod.ts";
import type { OtlpConfig, RetentionOptions } from "../logs/mod.ts";
import type { Limits } from "../model.ts";
import { SUBHOSTING } from "./subhosting_config.ts";
import type { DnsConfig, TlsConfig } from "./tls_config.ts";

/** What only the YAML file can say (INTERFACE §7), complete. Paths are absolute. */
export interface Structures {
  /** Only what the operator said; the runner has the defaults. */
  visitors: Partial<VisitorLimits>;
  trustedProxies: readonly TrustedProxy[];
  tls: TlsConfig;
  dns: DnsConfig;
  limits: Partial<Limits>;
  allowPrivate: readonly string[];
  /** Only what the operator said; the logs have the defaults. */
  logs: Omit<RetentionOptions, "clock">;
  /** `null` = the standard variables say, if anything does. */
  otlp: OtlpConfig | null;
}

const MAX_BYTES = 2 ** 40;
const MAX_COUNT = 1_000_000;
const MIB = 2 ** 20;
const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

const BASE64URL = /^[A-Za-z0-9_-]+=*$/;
const BASE64 = /^[A-Za-z0-9+/]+=*$/;

/** Names of keys whose values, and what is in them, are shown nowhere. */
const SECRETS: readonly PropertyKey[] = ["eab", "webhook", "keySecret", "headers", "secret", "nextSecret"];

const timeMs = () => integer(1, DAY_MS);
const count = () => integer(1, MAX_COUNT);

const VISITORS = z.strictObject(
  {
    handshakeTimeoutMs: timeMs(),
    headerTimeoutMs: timeMs(),
    keepAliveTimeoutMs: timeMs(),
    silenceTimeoutMs: timeMs(),
    writeTimeoutMs: timeMs(),
    minBodyBytesPerSecond: integer(0, MAX_BYTES),
    bodyGraceMs: timeMs(),
    maxHeaderBytes: integer(1024, 1024 ** 2),
    maxUriBytes: integer(256, 1024 ** 2),
    maxBodyBytes: integer(0, MAX_BYTES),
    maxConnections: count(),
    maxConnectionsPerAddress: count(),
    maxRequestsPerConnection: count(),
    maxStreams: integer(1, 10_000),
    maxStreamResets: count(),
    maxControlFrames: count(),
  } satisfies Record<keyof VisitorLimits, z.ZodType>,
).partial();

const DNS_PROVIDER = z.union([
  z.strictObject({ command: z.array(z.string().min(1)).min(1, "must name a program") }),
  z.strictObject({
    webhook: z.strictObject({ url: url("http"), secret: z.string().min(1).nullable().default(null) }),
  }),
  z.strictObject({
    rfc2136: z.strictObject({
      server: target('a name server, such as "192.0.2.53:53"'),
      zone: hostname(),
      keyName: hostname(),
      keySecret: text(BASE64, "base64"),
      keyAlgorithm: oneOf("hmac-sha256", "hmac-sha512").default("hmac-sha256"),
    }),
  }),
], {
  error: "must be {command: […]}, {webhook: {url, secret}} or {rfc2136: {server, zone, keyName, keySecret}}",
});

const ACME = z.strictObject({
  terms: z.literal(true, {
    error: "must be true: you agree to the terms of service of the certificate authority",
  }),
  directory: url("https").default(LETS_ENCRYPT),
  email: text(/^[^\s@]+@[^\s@]+$/, "an e-mail address").nullable().default(null),
  caFile: path().nullable().default(null),
  eab: z.strictObject({ keyId: text(/./, "a key identifier"), hmacKey: text(BASE64URL, "base64url") })
    .nullable().default(null),
  dns: DNS_PROVIDER.nullable().default(null),
});

const LOGS = z.strictObject({
  maxAgeDays: integer(1, 3660),
  maxMb: integer(16, MAX_BYTES / MIB),
  maxLinesPerLog: integer(1000, 1_000_000_000),
}).partial();

const TELEMETRY = z.strictObject({
  otlp: z.strictObject({
    endpoint: url("http"),
    headers: z.record(
      text(/^[\w-]+$/, "the name of a header"),
      text(/^[\x20-\x7e]+$/, "the value of a header"),
    )
      .default({}),
  }),
}).partial();

/** As they are written. */
export const STRUCTURES = z.strictObject({
  egress: z.strictObject({
    allowPrivate: z.array(
      target('a host or an address, and a port if only that, such as "db.internal:5432" or "[fd00::1]:6379"'),
    ),
  }).partial(),
  limits: limits(),
  visitors: VISITORS,
  trustedProxies: z.array(z.strictObject({
    addresses: z.array(network()).min(1),
    by: oneOf("x-forwarded-for", "forwarded", "proxy-protocol"),
  })),
  tls: z.strictObject({
    acme: ACME,
    certificates: z.array(z.strictObject({ cert: path(), key: path() })),
  }).partial(),
  dns: z.strictObject({
    servers: z.array(target('an address and a port, such as "192.0.2.53:53"', true)),
    addresses: z.array(z.string().refine((address) => isIP(address) !== 0, "must be an IP address")),
  }).partial(),
  logs: LOGS,
  telemetry: TELEMETRY,
  subhosting: SUBHOSTING,
}).partial();

/** Fills in what was not said, and makes paths absolute; relative ones start at `folder`. */
export function completeStructures(given: z.output<typeof STRUCTURES>, folder: string): Structures {
  const { egress, limits, visitors, trustedProxies, tls, dns, logs, telemetry } = given;
  const acme = tls?.acme ?? null;
  const absolute = (path: string) => resolve(folder, path);
  return {
    visitors: visitors ?? {},
    trustedProxies: trustedProxies ?? [],
    tls: {
      acme: acme && { ...acme, caFile: acme.caFile && absolute(acme.caFile) },
      certificates: (tls?.certificates ?? []).map(({ cert, key }) => ({
        cert: absolute(cert),
        key: absolute(key),
      })),
    },
    dns: { servers: dns?.servers ?? [], addresses: dns?.addresses ?? [] },
    limits: limits ?? {},
    allowPrivate: egress?.allowPrivate ?? [],
    logs: retention(logs ?? {}),
    otlp: telemetry?.otlp ?? null,
  };
}

function retention({ maxAgeDays, maxMb, maxLinesPerLog }: z.output<typeof LOGS>): Structures["logs"] {
  return {
    ...(maxAgeDays === undefined ? {} : { maxAgeMs: maxAgeDays * DAY_MS }),
    ...(maxMb === undefined ? {} : { maxBytes: maxMb * MIB }),
    ...(maxLinesPerLog === undefined ? {} : { maxLinesPerLog }),
  };
}

/** What is wrong with the structures of a file, a sentence each, apart from unknown names. */
export function structureProblem(raw: unknown, issue: z.core.$ZodIssue, file: string): string {
  const key = issue.path.map(String).join(".");
  const value = issue.path.reduce<unknown>(
    (inner, name) => (inner as Record<PropertyKey, unknown>)?.[name],
    raw,
  );
  // What is in a mapping may be a secret, also under a key that was misspelled.
  const isSecret = issue.path.some((name) => SECRETS.includes(name)) || isInPlaceOfMapping(issue) ||
    (issue.code === "custom" && issue.params?.isSecret === true);
  const isShown = !isSecret && [value].flat().every(isScalar);
  return `Cannot use ${key}${isShown ? ` ${JSON.stringify(value)}` : ""} of ${file}: ${issue.message}`;
}

function isInPlaceOfMapping(issue: z.core.$ZodIssue): boolean {
  return issue.code === "invalid_type" && (issue.expected === "object" || issue.expected === "array");
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** The names that may stand where an unknown one did. */
export function knownNames(path: readonly PropertyKey[]): string[] {
  let schema: unknown = STRUCTURES;
  for (const name of path) {
    while (
      schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
    ) {
      schema = schema.unwrap();
    }
    if (schema instanceof z.ZodArray) schema = schema.element;
    else if (schema instanceof z.ZodObject) schema = (schema.shape as Record<PropertyKey, unknown>)[name];
  }
  while (
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
  ) {
    schema = schema.unwrap();
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
