import { isLocalName } from "./local_names.ts";

/** How long a certificate is good. Unix times in ms. */
export interface Validity {
  notBefore: number;
  expiresAt: number;
  /** When it was ordered. */
  orderedAt: number;
}

/** What decides when a certificate is ordered. Times are Unix times in ms. */
export interface CertificateState {
  /** Of the one that there is; `null` = there is none. */
  validity: Validity | null;
  /** When its authority suggests to renew it; `null` = it does not. */
  suggestedAt: number | null;
  /** After an order that failed: not earlier. `null` = none failed. */
  retryAt: number | null;
  /** 0 to 1; the same each time for the same certificate. */
  jitter: number;
}

/** A certificate is renewed when so much of its lifetime is over… */
const RENEWED_AT = 2 / 3;
/** …or earlier, by up to so much of it, so that those made together are not renewed together. */
const SPREAD = 1 / 30;
/** A suggestion to renew later than that is not followed. */
const LATEST_AT = 0.9;
/** One that is due as soon as it is made is not ordered again and again: not before so much of its lifetime, or a day. */
const MIN_AGE = 1 / 3;
const MAX_MIN_AGE_MS = 24 * 3600_000;

const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 12 * 3600_000;
/** Of the delay before a retry, more or less. */
const RETRY_SPREAD = 0.2;

/** When a certificate is to be ordered: a time that is not in the future = now. */
export function dueAt({ validity, suggestedAt, retryAt, jitter }: CertificateState): number {
  return Math.max(retryAt ?? 0, validity === null ? 0 : renewalAt(validity, suggestedAt, jitter));
}

function renewalAt(
  { notBefore, expiresAt, orderedAt }: Validity,
  suggestedAt: number | null,
  jitter: number,
): number {
  const lifetimeMs = expiresAt - notBefore;
  const after = (share: number) => notBefore + lifetimeMs * share;
  const wanted = Math.min(suggestedAt ?? after(RENEWED_AT - jitter * SPREAD), after(LATEST_AT));
  return Math.max(wanted, orderedAt + Math.min(lifetimeMs * MIN_AGE, MAX_MIN_AGE_MS));
}

/**
 * How long to wait after a failed order: 1 minute, doubling to 12 hours, and at least as long as the ACME server wants.
 *
 * @param failures In a row; at least 1.
 * @param random 0 to 1.
 */
export function retryDelayMs(failures: number, retryAfterMs: number | null, random: number): number {
  const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
  return Math.max(delayMs * (1 + RETRY_SPREAD * (2 * random - 1)), retryAfterMs ?? 0);
}

/** A number from 0 to 1 that is always the same for an id, and different for others. */
export function jitterOf(id: string): number {
  // FNV-1a.
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash / 2 ** 32;
}

/** Whether an authority could sign names below a base domain: `localhost`, single labels and addresses are nobody's. */
export function isSignable(baseDomain: string): boolean {
  const isLocal = isLocalName(baseDomain);
  const isAddress = /^[\d.]+$/.test(baseDomain) || baseDomain.includes(":");
  return baseDomain.includes(".") && !isLocal && !isAddress;
}
