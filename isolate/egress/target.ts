import { isIP, isIPv6 } from "node:net";
import { canonicalHost } from "./host.ts";

/** Where a sandbox wants to go. */
export interface Target {
  /** As `canonicalHost` spells it. */
  host: string;
  port: number;
}

/** Targets that are named together. */
export interface TargetPattern {
  host: string;
  /** With all names below `host`, as `*.host` says. */
  subdomains: boolean;
  /** `null` = any. */
  port: number | null;
}

const PATTERN = /^(?<wildcard>\*\.)?(?:\[(?<ipv6>[^[\]]+)\]|(?<host>[^:[\]]+))(?::(?<port>\d{1,5}))?$/;

/**
 * Reads one entry of `permissions.net`, in the syntax of Deno's `--allow-net`: "host", "*.host", an IPv4 address, an IPv6
 * address in brackets, each with or without ":port".
 *
 * @throws {RangeError} It is none of these.
 */
export function parseTargetPattern(entry: string): TargetPattern {
  const { wildcard, ipv6, host: plain, port } = PATTERN.exec(entry)?.groups ?? {};
  const host = ipv6 === undefined ? canonicalHost(plain ?? "") : isIPv6(ipv6) ? canonicalHost(ipv6) : null;
  const subdomains = wildcard !== undefined;
  const portInRange = port === undefined || Number(port) >= 1 && Number(port) <= 65_535;
  if (host === null || subdomains && isIP(host) !== 0 || !portInRange) {
    throw new RangeError(
      `Cannot allow egress to "${entry}": must be a host, "*." and a host, an IPv4 address or an IPv6 address in brackets, each with or without ":port"`,
    );
  }
  return { host, subdomains, port: port === undefined ? null : Number(port) };
}

/**
 * Reads one entry of `egress.allowPrivate`.
 *
 * @throws {RangeError} It does not name exactly one host, with or without a port.
 */
export function parsePrivateTarget(entry: string): TargetPattern {
  const pattern = parseTargetPattern(entry);
  if (!pattern.subdomains) return pattern;
  throw new RangeError(`Cannot allow egress to private "${entry}": must name one host, without "*."`);
}

/**
 * Whether one of `patterns` has this host.
 *
 * @param port `null` = at any port.
 */
export function covers(
  patterns: true | readonly TargetPattern[],
  host: string,
  port: number | null,
): boolean {
  if (patterns === true) return true;
  return patterns.some((pattern) =>
    (port === null || pattern.port === null || pattern.port === port) &&
    // As in Deno, "*.example.com" is "example.com" as well.
    (pattern.host === host || pattern.subdomains && host.endsWith(`.${pattern.host}`))
  );
}
