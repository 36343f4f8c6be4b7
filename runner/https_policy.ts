import type { Challenge } from "./contract.ts";
import type { RequestHead } from "./http1/request_head.ts";
import type { OwnResponse } from "./http1/visitor_response.ts";

/** What the policy works with. */
export interface HttpsPolicyOptions {
  /** The names that can be visited by HTTPS. */
  secured: { has(hostname: string): boolean };
  /** Of the TLS listener. */
  port(): number;
  /** Plain requests for those names are redirected. */
  redirect: boolean;
  /** Asks for a certificate for a name that leads somewhere and has none. Returns at once. */
  want(hostname: string): void;
}

/** RFC 8555 §8.3. */
const CHALLENGE_PATH = "/.well-known/acme-challenge/";
/** Browsers would keep to HTTPS on every port of these, also where someone develops without it. */
const LOCAL = /(?:^|\.)localhost$/;
const HAS_PORT = /:\d+$/;

/** Where HTTP ends and HTTPS begins: challenges of a certificate authority, redirects, strict transport. */
export class HttpsPolicy {
  readonly #options: HttpsPolicyOptions;
  #challenges: ReadonlyMap<string, Challenge> = new Map();

  constructor(options: HttpsPolicyOptions) {
    this.#options = options;
  }

  /** Replaces the challenges that are answered. */
  setChallenges(challenges: readonly Challenge[]): void {
    this.#challenges = new Map(challenges.map((challenge) => [challenge.token, challenge]));
  }

  /**
   * The answer to a request that came without TLS; `null` = its deployment's.
   *
   * @param target Of the request line, in absolute form.
   * @param routed The name leads somewhere.
   */
  answer({ authority, method, isSecure }: RequestHead, target: string, routed: boolean): OwnResponse | null {
    const { hostname, host } = authority;
    const path = target.slice(target.indexOf("/", target.indexOf("//") + 2));
    if (path.startsWith(CHALLENGE_PATH) && (method === "GET" || method === "HEAD")) {
      const challenge = this.#challenges.get(path.slice(CHALLENGE_PATH.length));
      if (challenge?.hostname === hostname) return text(challenge.keyAuthorization);
    }
    if (isSecure || !this.#options.redirect) return null;
    if (!this.#options.secured.has(hostname)) {
      if (routed) this.#options.want(hostname);
      return null;
    }
    // Whoever named no port came by the usual one, and finds the usual one of HTTPS.
    const port = HAS_PORT.test(host) ? `:${this.#options.port()}` : "";
    const location = `https://${hostname}${port === ":443" ? "" : port}${path}`;
    return { status: 308, fields: { location, "content-length": "0" }, body: "" };
  }

  /** Whether the visitor is told to come by TLS only from now on (RFC 6797). A relay's visitor does not come here. */
  isStrict({ certificate, authority, relayed }: RequestHead): boolean {
    return certificate !== null && relayed === null && this.#options.redirect &&
      !LOCAL.test(authority.hostname);
  }
}

/** Whether a request may come on its connection, whose certificate is for some names only (RFC 9110 §7.4). */
export function isDirected({ certificate, authority }: RequestHead): boolean {
  return certificate === null || certificate.covers(authority.hostname);
}

function text(body: string): OwnResponse {
  return {
    status: 200,
    fields: {
      "content-type": "application/octet-stream",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
    body,
  };
}
