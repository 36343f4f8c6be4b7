import { type ErrorCode, type GatewayError, STATUS } from "./errors.ts";
import type { OwnResponse } from "./http1/visitor_response.ts";

const EXPLANATION = {
  DEPLOYMENT_NOT_FOUND: "There is no deployment at this address.",
  BAD_REQUEST: "The request is malformed.",
  BODY_TOO_LARGE: "The body of the request is larger than this server takes.",
  URI_TOO_LONG: "The address of the request is longer than this server takes.",
  HEADER_TOO_LARGE: "The header of the request is larger than this server takes.",
  MISDIRECTED_REQUEST: "This connection is not for that host.",
  UNAUTHORIZED: "The request is not authorized.",
  LOOP_DETECTED: "The request went through this server too often.",
  MEMORY_LIMIT: "The deployment used more memory than it may.",
  TIME_LIMIT: "The deployment used more time than it may.",
  BOOT_FAILURE: "The deployment could not be started.",
  BOOT_TIMEOUT: "The deployment took too long to start.",
  ISOLATE_CRASHED: "The deployment ended unexpectedly.",
  BAD_RESPONSE: "The deployment did not give a valid response.",
  REQUEST_TIMEOUT: "The deployment took too long to respond.",
  OVERLOADED: "The deployment has too many requests at the moment.",
  ORIGIN_UNAVAILABLE: "The deployment cannot be reached at the moment.",
} as const satisfies Record<ErrorCode, string>;

/** A response that says why there is no other. */
export interface ErrorPage extends OwnResponse {
  requestId: string;
}

/**
 * The visitor's response to a request that got none (INTERFACE §5): a short page, or JSON where `accept` prefers it.
 * **Invariant:** says only what the code says, or what the error has to explain; never its own text.
 *
 * @param accept The request's `Accept` field; `null` = none.
 */
export function errorPage(error: GatewayError, accept: string | null): ErrorPage {
  const status = STATUS[error.code];
  const requestId = crypto.randomUUID();
  const message = error.explanation ?? EXPLANATION[error.code];
  const json = prefersJson(accept);
  const body = json
    ? `${JSON.stringify({ code: error.code, message, requestId })}\n`
    : page(status, error.code, message, requestId);
  const fields: Record<string, string> = {
    "content-type": json ? "application/json; charset=utf-8" : "text/html; charset=utf-8",
    "content-length": String(body.length),
    "cache-control": "no-store",
    "vary": "accept",
    "x-isola-error": error.code,
    "x-isola-request-id": requestId,
  };
  if (error.retryAfterS !== undefined) fields["retry-after"] = String(error.retryAfterS);
  return { status, fields, body, requestId };
}

/** Content negotiation (RFC 9110 §12.5.1) between the two: JSON where it weighs more, or as much but named better. */
function prefersJson(accept: string | null): boolean {
  if (accept === null) return false;
  const json = preference(accept, "application", "json");
  const html = preference(accept, "text", "html");
  if (json.weight === html.weight) return json.weight > 0 && json.specificity > html.specificity;
  return json.weight > html.weight;
}

/** What `accept` says of a media type in the most specific range that matches. */
function preference(accept: string, type: string, subtype: string): { weight: number; specificity: number } {
  let weight = 0;
  let specificity = 0;
  for (const item of accept.toLowerCase().split(",")) {
    const [range = "", ...parameters] = item.split(";").map((part) => part.trim());
    const level = range === `${type}/${subtype}` ? 3 : range === `${type}/*` ? 2 : range === "*/*" ? 1 : 0;
    if (level <= specificity) continue;
    const q = Number(parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? 1);
    weight = q >= 0 && q <= 1 ? q : 0;
    specificity = level;
  }
  return { weight, specificity };
}

function page(status: number, code: ErrorCode, message: string, requestId: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${status} ${code}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color-scheme:light dark}small{opacity:.7}</style>
<h1>${status}</h1>
<p>${message}</p>
<p><small><code>${code}</code> &middot; request <code>${requestId}</code></small></p>
</html>
`;
}
