import { setTimeout as delay } from "node:timers/promises";
import type { AcmeSession } from "./acme_session.ts";
import { Answer } from "./answer.ts";

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5_000;
const GROWTH = 1.5;

/**
 * Asks for an order or an authorization until its status is none of `passing`, as often as the server wants
 * (RFC 8555 §7.5.1).
 *
 * @param signal The only bound on how long that may take.
 * @throws {AcmeError}
 * @throws the signal's reason
 */
export async function poll(
  session: AcmeSession,
  url: string,
  passing: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  for (let delayMs = FIRST_DELAY_MS;; delayMs = Math.min(delayMs * GROWTH, MAX_DELAY_MS)) {
    const { text, retryAfterMs } = await session.post(url, signal);
    const answer = Answer.parse(text);
    if (!passing.includes(answer.text("status"))) return answer;
    const waitMs = Math.max(retryAfterMs ?? delayMs, FIRST_DELAY_MS);
    await delay(Math.min(waitMs, MAX_DELAY_MS), undefined, { signal });
  }
}
