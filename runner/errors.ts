/** The data plane's error codes and their HTTP statuses: the one table. */
export const STATUS = {
  DEPLOYMENT_NOT_FOUND: 404,
  BAD_REQUEST: 400,
  BODY_TOO_LARGE: 413,
  URI_TOO_LONG: 414,
  HEADER_TOO_LARGE: 431,
  MISDIRECTED_REQUEST: 421,
  UNAUTHORIZED: 401,
  LOOP_DETECTED: 508,
  MEMORY_LIMIT: 502,
  TIME_LIMIT: 502,
  BOOT_FAILURE: 502,
  BOOT_TIMEOUT: 502,
  ISOLATE_CRASHED: 502,
  BAD_RESPONSE: 502,
  REQUEST_TIMEOUT: 504,
  OVERLOADED: 503,
  ORIGIN_UNAVAILABLE: 503,
} as const;

/** What `x-isola-error` says. */
export type ErrorCode = keyof typeof STATUS;

/** What the visitor is told besides the code. */
export interface GatewayErrorOptions {
  /** Seconds after which it may try again: the `Retry-After` header. */
  retryAfterS?: number;
  /**
   * Takes the place of what the code says to everybody: a sentence in ASCII, for a visitor who has proven who it is.
   * **Invariant:** our own words and numbers only, without markup.
   */
  explanation?: string;
}

/** Why the data plane answers a request itself. Everything below the handler throws this and nothing else on purpose. */
export class GatewayError extends Error {
  override name = "GatewayError";
  readonly retryAfterS: number | undefined;
  readonly explanation: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    { retryAfterS, explanation }: GatewayErrorOptions = {},
  ) {
    super(message);
    this.retryAfterS = retryAfterS;
    this.explanation = explanation;
  }
}
