import { AcmeError } from "./acme_error.ts";
import type { AcmeSession } from "./acme_session.ts";
import { Answer } from "./answer.ts";
import { poll } from "./poll.ts";
import { type ChallengeType, explainAttempt, readProblem } from "./problem_words.ts";

/** What proves that a name is ours (RFC 8555 §7.1.4), with the challenge that we answer. */
export interface Authorization {
  url: string;
  /** Without `*.`. */
  hostname: string;
  challenge: ChallengeType;
  challengeUrl: string;
  token: string;
  keyAuthorization: string;
}

/** Base64url (RFC 8555 §8): it becomes part of a URL. */
const TOKEN = /^[\w-]{1,256}$/;

/**
 * Reads an authorization and picks its challenge: dns-01 for a wildcard, else http-01.
 *
 * @param names Those that are ordered: it must be for one of them.
 * @returns `null` if the name is proven already.
 * @throws {AcmeError}
 */
export async function readAuthorization(
  session: AcmeSession,
  url: string,
  { names, signal }: { names: readonly string[]; signal: AbortSignal },
): Promise<Authorization | null> {
  const answer = Answer.parse((await session.post(url, signal)).text);
  if (answer.text("status") === "valid") return null;
  const hostname = answer.object("identifier")?.optionalText("value") ?? "";
  const isWildcard = answer.flag("wildcard");
  if (!names.includes(isWildcard ? `*.${hostname}` : hostname)) {
    throw notProvable(`it asks for "${hostname}", which is not ordered`);
  }
  const type: ChallengeType = isWildcard ? "dns-01" : "http-01";
  const challenge = answer.objects("challenges").find((challenge) => challenge.optionalText("type") === type);
  if (challenge === undefined) {
    throw notProvable(`it offers no ${type} for "${hostname}", whose state is "${answer.text("status")}"`);
  }
  const token = challenge.text("token");
  if (!TOKEN.test(token)) throw notProvable(`its token for "${hostname}" is not base64url`);
  return {
    url,
    hostname,
    challenge: type,
    challengeUrl: challenge.text("url"),
    token,
    keyAuthorization: session.keyAuthorization(token),
  };
}

/**
 * Lets the server look for the answer, which is published, and waits for what it finds.
 *
 * @throws {AcmeError}
 */
export async function validate(
  session: AcmeSession,
  authorization: Authorization,
  signal: AbortSignal,
): Promise<void> {
  await session.post(authorization.challengeUrl, signal, {});
  const answer = await poll(session, authorization.url, ["pending"], signal);
  if (answer.text("status") === "valid") return;
  const failed = answer.objects("challenges").map((challenge) => challenge.object("error")).find(Boolean);
  const problem = failed
    ? readProblem(failed)
    : { type: "unauthorized", detail: `the authorization is "${answer.text("status")}"`, subproblems: [] };
  throw new AcmeError(explainAttempt(problem, authorization), problem);
}

function notProvable(detail: string): AcmeError {
  return new AcmeError(`Cannot prove a name to the ACME server: ${detail}`, { type: "badAnswer", detail });
}
