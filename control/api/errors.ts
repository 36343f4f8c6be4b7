import type { Context } from "hono";
import { StoreError, type StoreErrorCode } from "../store/mod.ts";

/** The API's error codes and their HTTP statuses: the one table. */
const STATUS = {
  badRequest: 400,
  assetsMissing: 400,
  hashMismatch: 400,
  projectNameTaken: 400,
  deploymentNotReady: 400,
  domainTaken: 400,
  domainNotVerified: 400,
  certificateInvalid: 400,
  provisioningFailed: 400,
  acmeOff: 400,
  projectUntrusted: 409,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  organizationNotFound: 404,
  projectNotFound: 404,
  deploymentNotFound: 404,
  domainNotFound: 404,
  bodyTooLarge: 413,
  internal: 500,
  overloaded: 503,
} as const;

/** Codes of {@linkcode ApiError}. */
export type ApiErrorCode = keyof typeof STATUS;

const STORE_CODES = {
  locked: "internal",
  tooNew: "internal",
  nameTaken: "projectNameTaken",
  domainTaken: "domainTaken",
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
  return c.json({ code, message, ...details }, STATUS[code]);
}

function toApiError(error: unknown, c: Context): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreError) {
    const code = STORE_CODES[error.code];
    if (code !== "internal") return new ApiError(code, error.message);
  }
  if (!c.req.raw.signal.aborted) console.error(`Cannot answer ${c.req.method} ${c.req.path}:`, error);
  return new ApiError("internal", "The server failed to answer: its log says why");
}
