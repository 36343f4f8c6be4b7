import { inOneLine } from "../../text/one_line.ts";
import type { AcmeSubproblem } from "./acme_error.ts";
import type { Answer } from "./answer.ts";

/** How a name is proven: RFC 8555 §8.3 and §8.4. */
export type ChallengeType = "http-01" | "dns-01";

/** What an order or an authorization was about when it failed. */
export interface Attempt {
  /** Without `*.`. */
  hostname: string;
  challenge: ChallengeType;
}

/** A problem as the server put it. */
export interface StatedProblem {
  type: string;
  detail: string;
  subproblems: AcmeSubproblem[];
}

const TYPE_PREFIX = "urn:ietf:params:acme:error:";
const MAX_TEXT_LENGTH = 500;

/** Reads a problem document (RFC 7807, RFC 8555 §6.7). */
export function readProblem(document: Answer): StatedProblem {
  return {
    ...stated(document),
    subproblems: document.objects("subproblems").map((subproblem) => ({
      ...stated(subproblem),
      hostname: plain(subproblem.object("identifier")?.optionalText("value") ?? "") || null,
    })),
  };
}

/** What went wrong with an attempt and what may help, for the person who wants the certificate. */
export function explainAttempt({ type, detail }: StatedProblem, { hostname, challenge }: Attempt): string {
  if (challenge === "dns-01") {
    const record = `_acme-challenge.${hostname}`;
    if (type === "dns") return `The ACME server could not look up the TXT record ${record}: ${detail}`;
    if (type === "unauthorized" || type === "incorrectResponse") {
      return `The ACME server did not find the right TXT record at ${record}: ${detail}. ` +
        "Does the DNS provider of tls.acme.dns serve this zone?";
    }
  } else {
    const url = `http://${hostname}/.well-known/acme-challenge/…`;
    if (type === "connection" || type === "tls") {
      return `The ACME server could not reach ${url}: ${detail}. Does an A record lead here, and is port 80 open?`;
    }
    if (type === "unauthorized" || type === "incorrectResponse") {
      return `The ACME server got a wrong answer from ${url}: ${detail}. ` +
        "Do all A and AAAA records lead here, and to no other server?";
    }
    if (type === "dns") {
      return `The ACME server could not resolve ${hostname}: ${detail}. Does an A record lead here?`;
    }
  }
  return explainProblem({ type, detail, subproblems: [] });
}

/** The same for a problem that is not about the answer to a challenge. */
export function explainProblem({ type, detail, subproblems }: StatedProblem): string {
  const said = [
    detail,
    ...subproblems.map((problem) => `${problem.hostname ?? "one of the names"}: ${problem.detail}`),
  ].join("; ");
  switch (type) {
    case "caa":
      return `A CAA record does not let this authority sign: ${said}. Add one that does, or remove it`;
    case "rateLimited":
      return `The ACME server signs no more for now: ${said}`;
    case "rejectedIdentifier":
    case "unsupportedIdentifier":
      return `The ACME server does not sign this name: ${said}`;
    case "externalAccountRequired":
      return `The ACME server requires an external account: ${said}. Set tls.acme.eab in isola.yaml`;
    case "invalidContact":
    case "unsupportedContact":
      return `The ACME server does not take the e-mail address: ${said}. Change tls.acme.email in isola.yaml`;
    case "userActionRequired":
      return `The ACME server wants its operator's customer to act: ${said}`;
    default:
      return `The ACME server refused (${type}): ${said}`;
  }
}

function stated(problem: Answer): { type: string; detail: string } {
  const type = plain(problem.optionalText("type") ?? "about:blank");
  const detail = problem.optionalText("detail") ?? problem.optionalText("title") ?? "it did not say why";
  return {
    type: type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : type,
    detail: plain(detail).replace(/\.\s*$/, ""),
  };
}

/** What a terminal or a log may show. */
function plain(text: string): string {
  return inOneLine(text, MAX_TEXT_LENGTH);
}
