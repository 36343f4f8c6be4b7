import type { Context } from "hono";
import { LogsBusyError } from "../logs/mod.ts";
import { storageProblem, StoreError, type StoreErrorCode } from "../store/mod.ts";

/** The API's error codes and their HTTP statuses: the one table. */
const STATUS = {
  badRequest: 400,
  assetsMissing: 400,
  hashMismatch: 400,
  projectNameTaken: 400,
  deploymentNotReady: 400,
  deploymentFailed: 400,
  domainTaken: 400,
  domainNotVerified: 400,
  certificateInvalid: 400,
  provisioningFailed: 400,
  acmeOff: 400,
  syncFailed: 400,
  loginPending: 400,
  loginExpired: 400,
  projectUntrusted: 409,
  organizationNameTaken: 409,
  organizationNotEmpty: 409,
  tokenNameTaken: 409,
  tooManyTokens: 409,
  lastAdmin: 409,
  deliveryRepeated: 409,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  organizationNotFound: 404,
  projectNotFound: 404,
  deploymentNotFound: 404,
  domainNotFound: 404,
  databaseNotFound: 404,
  gitLinkNotFound: 404,
  tokenNotFound: 404,
  subhosterNotFound: 404,
  bodyTooLarge: 413,
  tooManyAttempts: 429,
  internal: 500,
  overloaded: 503,
  insufficientStorage: 507,
} as const;

/** Codes of {@linkcode ApiError}. */
export type ApiErrorCode = keyof typeof STATUS;

const STORE_CODES = {
  locked: "internal",
  tooNew: "internal",
  damaged: "internal",
  secretKey: "internal",
  nameTaken: "projectNameTaken",
  organizationNameTaken: "organizationNameTaken",
  organizationNotEmpty: "organizationNotEmpty",
  tokenNameTaken: "tokenNameTaken",
  tooManyTokens: "tooManyTokens",
  lastAdmin: "lastAdmin",
  domainTaken: "domainTaken",
  tooManyDomains: "badRequest",
  domainMissing: "domainNotFound",
  blobMissing: "badRequest",
  tooLarge: "bodyTooLarge",
  hashMismatch: "hashMismatch",
  busy: "overloaded",
} as const satisfies Record<StoreErrorCode, ApiErrorCode>;

/** A refusal that the client is told about. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiErrorCode;
  /** Further members of the error body. */
  readonly details: Record<string, unknown>;

  constructor(code: ApiErrorCode, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Answers an error as `{code, message}`. What is not an expected refusal is logged, and the client learns nothing of it. */
export function errorResponse(error: unknown, c: Context): Response {
  const { code, message, details } = toApiError(error, c);
  if (code === "unauthorized") c.header("www-authenticate", "Bearer");
  if (code === "overloaded") c.header("retry-after", "1");
  if (code === "tooManyAttempts") c.header("retry-after", String(details.retryAfterSeconds));
  // The official client sends again what was answered with 409, as if a lock had been in its way.
  if (STATUS[code] === 409) c.header("x-should-retry", "false");
  return c.json({ code, message, ...details }, STATUS[code]);
}

/** What the client is told of an error. What is not an expected refusal is logged. */
export function toApiError(error: unknown, c: Context): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreError) {
    const code = STORE_CODES[error.code];
    if (code !== "internal") return new ApiError(code, error.message);
  }
  if (error instanceof LogsBusyError) return new ApiError("overloaded", error.message);
  if (storageProblem(error) === "full") {
    return new ApiError(
      "insufficientStorage",
      "The server's disk is full: nothing was changed. Free some of it",
    );
  }
  if (!c.req.raw.signal.aborted) console.error(`Cannot answer ${c.req.method} ${c.req.path}:`, error);
  return new ApiError("internal", "The server failed to answer: its log says why");
}
