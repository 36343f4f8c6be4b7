/** A server that asks for more patience gets so much. */
export const MAX_RETRY_AFTER_MS = 7 * 24 * 3600_000;

/** Its beginning: `Date.parse` takes many other things. */
const HTTP_DATE = /^[A-Z][a-z]+,? /;

/**
 * Reads a `Retry-After` field (RFC 9110 §10.2.3): seconds, or a date.
 *
 * @param now Unix time in ms.
 * @returns ms from `now`, at most {@linkcode MAX_RETRY_AFTER_MS}; `null` if there is none that can be read.
 */
export function readRetryAfter(value: string | null, now: number): number | null {
  if (value === null) return null;
  const ms = /^\d+$/.test(value)
    ? Number(value) * 1000
    : HTTP_DATE.test(value)
    ? Date.parse(value) - now
    : NaN;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}
