import type { MiddlewareHandler } from "hono";
import { isLocalName } from "../../certificates/local_names.ts";
import { ApiError } from "../errors.ts";

/** Of `Sec-Fetch-Site` (W3C Fetch Metadata §2.3): a page of this very origin, and what no page has caused. */
const OWN_SITES = ["same-origin", "none"];
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;

/**
 * Refuses requests that a web page of somebody else could make a browser send: those addressed to a foreign name that was
 * made to resolve here (DNS rebinding), and those of a page of another origin.
 */
export function guard(hostnames: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    const problem = refusal(c.req.raw, hostnames);
    if (problem !== null) throw new ApiError("forbidden", problem);
    await next();
  };
}

/**
 * Why a request to the control listener is refused, or `null`.
 *
 * @param hostnames Allowed beside localhost names and IP literals.
 */
export function refusal(request: Request, hostnames: readonly string[]): string | null {
  // HTTP/2 has :authority instead of Host; the runtime makes the URL of it.
  const authority = request.headers.get("host") ?? new URL(request.url).host;
  const host = /[@/?#\\]/.test(authority) ? null : URL.parse(`http://${authority}`);
  if (host === null || !isOurs(host.hostname, hostnames)) {
    return `Host "${authority}" is not a name of this server: use localhost, its address, or a name of controlHostnames`;
  }
  const origin = request.headers.get("origin");
  if (origin !== null && URL.parse(origin)?.host !== host.host) {
    return `Origin "${origin}" is not this server`;
  }
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && !OWN_SITES.includes(site) && !isNavigation(request)) {
    return `A page of another site ("Sec-Fetch-Site: ${site}") cannot call this server`;
  }
  return null;
}

/** Somebody follows a link, and sees where it leads. */
function isNavigation({ method, headers }: Request): boolean {
  return method === "GET" && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
}

function isOurs(hostname: string, hostnames: readonly string[]): boolean {
  const name = hostname.replace(/\.$/, "");
  return isLocalName(name) || name.startsWith("[") || IPV4.test(name) ||
    hostnames.includes(name);
}
