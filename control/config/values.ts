import { isIP } from "node:net";
import { z } from "zod";
import type { Limits } from "../model.ts";

/** In milliseconds. */
export const DAY_MS = 86_400_000;

const HOSTNAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const TARGET = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/i;
const HOST_PORT = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i;

/** Where to listen. */
export interface Address {
  /** Without the brackets of an IPv6 literal. */
  hostname: string;
  /** 0 = any free port. */
  port: number;
}

/** A whole number, as a number or as digits. */
export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  const number = z.int({ error }).min(min, { error }).max(max, { error });
  return z.preprocess((raw) => typeof raw === "string" && /^\d{1,15}$/.test(raw) ? Number(raw) : raw, number);
}

/** @param allowed What the pattern means, after "must be". */
export function text(pattern: RegExp, allowed: string) {
  const error = `must be ${allowed}`;
  return z.string({ error }).regex(pattern, { error });
}

/** One of some words. */
export function oneOf<const Value extends string>(...values: Value[]) {
  return z.enum(values, { error: `must be ${values.map((value) => `"${value}"`).join(" or ")}` });
}

/** A hostname, made lower case. */
export function hostname() {
  return text(HOSTNAME, 'a hostname, such as "apps.example.com"').transform((name) => name.toLowerCase());
}

/** Hostnames, as a list or separated by commas. */
export function hostnames() {
  const error = 'must be hostnames, such as "console.example.com"';
  return z.preprocess(
    (raw) => typeof raw === "string" ? raw.split(",").map((name) => name.trim()) : raw,
    z.array(hostname(), { error }),
  );
}

/** The name of a region, as isolates see it. */
export function region() {
  return text(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "1 to 63 of a-z, 0-9 and, not at an end, -");
}

/** Limits of a deployment (INTERFACE §4), each of which may be left out. */
export function limits() {
  return z.strictObject(
    {
      memoryMb: integer(32, 1024 ** 2),
      cpuBlockMs: integer(10, DAY_MS),
      cpuMsPerRequest: integer(1, DAY_MS),
      bootTimeoutMs: integer(100, DAY_MS),
      requestTimeoutMs: integer(0, DAY_MS),
      maxConcurrency: integer(1, 100_000),
    } satisfies Record<keyof Limits, z.ZodType>,
  ).partial();
}

/** A path, as it was written. */
export function path() {
  return text(/^[^\0]+$/, "a path");
}

/** @param scheme `http` allows both. */
export function url(scheme: "http" | "https") {
  const error = `must be a URL that begins with "https://"${scheme === "http" ? ' or "http://"' : ""}`;
  const schemes = scheme === "http" ? ["http:", "https:"] : ["https:"];
  return z.string({ error }).refine((raw) => URL.canParse(raw) && schemes.includes(new URL(raw).protocol), {
    error,
  });
}

/**
 * A host or an address, and perhaps a port.
 *
 * @param isAddress It must be an address, and have a port.
 */
export function target(allowed: string, isAddress = false) {
  const error = `must be ${allowed}`;
  return z.string({ error }).refine((raw) => {
    const [, ipv6, host = "", port] = TARGET.exec(raw) ?? [];
    const isHost = ipv6 === undefined
      ? HOSTNAME.test(host) && (!isAddress || isIP(host) === 4)
      : isIP(ipv6) === 6;
    return isHost && (port === undefined ? !isAddress : Number(port) >= 1 && Number(port) <= 65_535);
  }, { error });
}

/** An address, or a network. */
export function network() {
  const error = 'must be an IP address or a network such as "10.0.0.0/8"';
  return z.string({ error }).refine((raw) => {
    const [address = "", prefix = "0", ...rest] = raw.split("/");
    const bits = isIP(address) === 6 ? 128 : 32;
    return isIP(address) !== 0 && rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
  }, { error });
}

/** Where to listen. */
export function address() {
  const error = 'must be HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000"';
  return z.string({ error }).transform((raw, context): Address => {
    const [, ipv6, host, port] = HOST_PORT.exec(raw) ?? [];
    const isIpv4Like = /^[\d.]+$/.test(host ?? "");
    const valid = ipv6 ? isIP(ipv6) === 6 : isIpv4Like ? isIP(host!) === 4 : HOSTNAME.test(host ?? "");
    if (valid && Number(port) <= 65_535) {
      return { hostname: (ipv6 ?? host)!, port: Number(port) };
    }
    context.addIssue({ code: "custom", message: error });
    return z.NEVER;
  });
}
