import { locationOf } from "./acme_account.ts";
import { AcmeError } from "./acme_error.ts";
import type { AcmeSession } from "./acme_session.ts";
import { Answer } from "./answer.ts";
import { type Authorization, readAuthorization, validate } from "./authorization.ts";
import { newCertificateRequest } from "./certificate_request.ts";
import { poll } from "./poll.ts";
import { explainProblem, readProblem } from "./problem_words.ts";

/** What is ordered, and how. */
export interface OrderOptions {
  names: readonly string[];
  /** Identifier of the certificate that this one renews (RFC 9773 §5); `null` = none. */
  replaces: string | null;
  /** Publishes the answers to challenges until it is disposed. */
  answer(authorizations: readonly Authorization[], signal: AbortSignal): Promise<AsyncDisposable>;
  signal: AbortSignal;
}

/** A certificate as the server gave it, and its key. Both PEM. */
export interface Issued {
  chain: string;
  privateKey: string;
}

/**
 * One order from beginning to end (RFC 8555 §7.4).
 *
 * @throws {AcmeError}
 * @throws the signal's reason
 */
export async function placeOrder(session: AcmeSession, options: OrderOptions): Promise<Issued> {
  const { names, signal } = options;
  const { headers, text } = await newOrder(session, options);
  const orderUrl = locationOf(headers);
  const placed = Answer.parse(text);
  // A server looks from several places, some of them late: answers stay until the order has ended.
  await using answers = new AsyncDisposableStack();
  const open = await readAuthorizations(session, placed.texts("authorizations"), options);
  if (open.length > 0) answers.use(await options.answer(open, signal));
  await validateAll(session, open, signal);
  // It may take the server a moment to see that all names are proven.
  expectStatus(await poll(session, orderUrl, ["pending"], signal), "ready");
  const { csr, privateKey } = await newCertificateRequest(names);
  await session.post(placed.text("finalize"), signal, { csr });
  const order = expectStatus(await poll(session, orderUrl, ["ready", "processing"], signal), "valid");
  return { chain: (await session.post(order.text("certificate"), signal)).text, privateKey };
}

async function newOrder(session: AcmeSession, { names, replaces, signal }: OrderOptions) {
  const { newOrder: url, renewalInfo } = session.directory;
  const identifiers = names.map((value) => ({ type: "dns", value }));
  if (replaces === null || renewalInfo === null) return await session.post(url, signal, { identifiers });
  try {
    return await session.post(url, signal, { identifiers, replaces });
  } catch (error) {
    // RFC 9773 §5: another order has replaced it.
    if (!(error instanceof AcmeError) || error.type !== "alreadyReplaced") throw error;
    return await session.post(url, signal, { identifiers });
  }
}

/** Those that are still to be proven. */
async function readAuthorizations(
  session: AcmeSession,
  urls: readonly string[],
  { names, signal }: OrderOptions,
): Promise<Authorization[]> {
  const open: Authorization[] = [];
  for (const url of urls) {
    const authorization = await readAuthorization(session, url, { names, signal });
    if (authorization !== null) open.push(authorization);
  }
  return open;
}

async function validateAll(
  session: AcmeSession,
  authorizations: readonly Authorization[],
  signal: AbortSignal,
): Promise<void> {
  const results = await Promise.allSettled(
    authorizations.map((authorization) => validate(session, authorization, signal)),
  );
  const failure = results.find((result) => result.status === "rejected");
  if (failure) throw failure.reason;
}

function expectStatus(order: Answer, expected: "ready" | "valid"): Answer {
  const status = order.text("status");
  if (status === expected) return order;
  const error = order.object("error");
  if (error !== null) {
    const problem = readProblem(error);
    throw new AcmeError(explainProblem(problem), problem);
  }
  const detail = `the order is "${status}" instead of "${expected}"`;
  throw new AcmeError(`The ACME server did not go on: ${detail}`, { type: "badAnswer", detail });
}
