/**
 * What became of a call to an origin: it knows no such thing; it cannot be reached, or is in trouble; what it answered cannot
 * be used, or it does not want us.
 */
export type OriginErrorCode = "not_found" | "unavailable" | "invalid";

/** What is known of an {@linkcode OriginError}. */
export interface OriginErrorOptions extends ErrorOptions {
  /** Of the HTTP answer, if there was one. */
  status?: number;
  /** To be tried again no earlier, in ms. */
  retryAfterMs?: number;
}

/** An origin did not give what it was asked for. The message is for its subhoster's eyes: it names no secret. */
export class OriginError extends Error {
  override readonly name = "OriginError";
  readonly code: OriginErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: OriginErrorCode,
    message: string,
    { status, retryAfterMs, ...options }: OriginErrorOptions = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}
