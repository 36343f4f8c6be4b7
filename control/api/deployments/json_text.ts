import { ApiError } from "../errors.ts";

/** Arrays and objects in one another. */
const MAX_DEPTH = 256;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

/**
 * Refuses a JSON text that is nested so deeply that reading it takes ten times as long as another of its length.
 *
 * @throws {ApiError} `badRequest`.
 */
export function assertShallow(text: string): void {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString) at += code === BACKSLASH ? 1 : 0;
    else if (CLOSING.includes(code)) depth--;
    else if (OPENING.includes(code) && ++depth > MAX_DEPTH) {
      throw new ApiError("badRequest", `The request body is nested more than ${MAX_DEPTH} levels deep`);
    }
  }
}

/**
 * Parses a JSON text of a body, or a part of it.
 *
 * @throws {ApiError} `badRequest`.
 */
export function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError("badRequest", `The request body is not JSON: ${(error as Error).message}`);
  }
}
