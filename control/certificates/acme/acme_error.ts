/** What a subproblem (RFC 8555 §6.7.1) says of one name. */
export interface AcmeSubproblem {
  type: string;
  detail: string;
  /** The name that it is about. */
  hostname: string | null;
}

/** Why an ACME server did not do something. */
export interface AcmeProblem {
  /**
   * What comes after `urn:ietf:params:acme:error:` (RFC 8555 §6.7), such as `rateLimited`. Of our own: `unreachable`,
   * `timedOut`, `badAnswer` (what it said cannot be understood), `dnsProvider` (a record could not be set).
   */
  type: string;
  /** In the server's words. */
  detail: string;
  subproblems?: readonly AcmeSubproblem[];
  /** Of the HTTP response. */
  status?: number | null;
  /** The server does not want to be asked earlier; ms. */
  retryAfterMs?: number | null;
}

/**
 * A certificate could not be ordered, or an ACME server asked. The message is the reason, and what to do about it as far as
 * that is known; what was wanted is the caller's to say.
 */
export class AcmeError extends Error {
  override readonly name = "AcmeError";
  readonly type: string;
  readonly detail: string;
  readonly subproblems: readonly AcmeSubproblem[];
  readonly status: number | null;
  readonly retryAfterMs: number | null;

  constructor(message: string, problem: AcmeProblem, options?: ErrorOptions) {
    super(message, options);
    this.type = problem.type;
    this.detail = problem.detail;
    this.subproblems = problem.subproblems ?? [];
    this.status = problem.status ?? null;
    this.retryAfterMs = problem.retryAfterMs ?? null;
  }
}
