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

/** Why the data plane answers a request itself. Everything below the handler throws this and nothing else on purpose. */
export class GatewayError extends Error {
  override name = "GatewayError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Seconds after which the visitor may try again: the `Retry-After` header. */
    readonly retryAfterS?: number,
  ) {
    super(message);
  }
}
