import type { CertificateRecord, Domain } from "../model.ts";
import { isSignable } from "./provisioning_plan.ts";

/** A certificate that there should be. */
export interface Target {
  /** What orders of it are known by: the domain's id, or the name of the platform's own. */
  key: string;
  /** What it is for. */
  name: string;
  /** `null` = one of the platform's own. */
  domain: Domain | null;
}

/** The platform's own names. */
export interface PlatformNames {
  baseDomain: string;
  /** One wildcard certificate for all, which takes dns-01; else one for each name that a visitor asks for. */
  wildcard: boolean;
  /** Whether it is a project's production name now. */
  isPlatformName(hostname: string): boolean;
}

/** The target of a domain. */
export function domainTarget(domain: Domain): Target {
  return { key: domain.id, name: domain.domain, domain };
}

/** The target of one of the platform's own names. */
export function platformTarget(name: string): Target {
  return { key: name, name, domain: null };
}

/** The platform's wildcard; `null` = there is to be none. */
export function wildcardTarget({ baseDomain, wildcard }: PlatformNames): Target | null {
  return wildcard && isSignable(baseDomain) ? platformTarget(`*.${baseDomain}`) : null;
}

/**
 * All certificates that are ordered and renewed without being asked for: those of verified domains without one of their
 * own, the platform's wildcard, and what was ordered for platform names that there still are.
 */
export function targetsOf(
  validated: readonly Domain[],
  kept: readonly CertificateRecord[],
  platform: PlatformNames,
): Target[] {
  const domains = validated.filter(({ provisioningStatus }) => provisioningStatus.code !== "manual");
  const wildcard = wildcardTarget(platform);
  if (wildcard !== null) return [...domains.map(domainTarget), wildcard];
  const names = kept.filter(isPlatformOwn).flatMap(({ names }) => names).filter((name) =>
    platform.isPlatformName(name)
  );
  return [...domains.map(domainTarget), ...names.map(platformTarget)];
}

/** The key of the target that a certificate is for. */
export function keyOf({ domainId, names }: CertificateRecord): string {
  return domainId ?? names[0]!;
}

/** Whether a certificate was ordered for a name of the platform. */
export function isPlatformOwn({ domainId, source }: CertificateRecord): boolean {
  return domainId === null && source === "acme";
}
