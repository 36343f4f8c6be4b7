import type { OriginErrorCode } from "./origin_error.ts";

/** What is known of a {@linkcode CallFailure}. */
export interface CallFailureOptions extends ErrorOptions {
  /** Of the HTTP answer, if there was one. */
  status?: number;
  /** Another try may go better. @default {false} */
  isPassing?: boolean;
  /** Nothing says that the origin is still there. @default {false} */
  isDead?: boolean;
  /** It is not, whatever it was called for. @default {false} */
  isUnreachable?: boolean;
  /** To be tried again no earlier, in ms. */
  retryAfterMs?: number;
}

/** Why one try of a call failed: the message is what came. Which call it was is the caller's to say. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  readonly code: OriginErrorCode;
  readonly status: number | undefined;
  readonly isPassing: boolean;
  readonly isDead: boolean;
  readonly isUnreachable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: OriginErrorCode,
    message: string,
    { status, isPassing = false, isDead = false, isUnreachable = false, retryAfterMs, ...options }:
      CallFailureOptions = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.isPassing = isPassing;
    this.isDead = isDead;
    this.isUnreachable = isUnreachable;
    this.retryAfterMs = retryAfterMs;
  }
}
