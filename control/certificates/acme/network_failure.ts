const REQWEST_PREFIX = /^error sending request for url \(.*?\): (?:client error \([A-Za-z]+\): )?/;
const MAX_CAUSES = 5;

/** Why a `fetch` failed, in words: the innermost cause, without what the caller knows. */
export function networkFailure(error: unknown): string {
  let innermost = error;
  for (let i = 0; i < MAX_CAUSES && innermost instanceof Error && innermost.cause; i++) {
    innermost = innermost.cause;
  }
  const message = innermost instanceof Error ? innermost.message : String(innermost);
  return message.replace(REQWEST_PREFIX, "");
}
