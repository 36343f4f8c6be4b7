/** Why a certificate is not ordered. */
export type ProvisioningErrorCode =
  /** There is no such domain. */
  | "notFound"
  /** Nobody has proven that the domain is the organization's own. */
  | "notVerified"
  /** The ACME server does not want to be asked yet. */
  | "tooEarly"
  /** Too many orders wait. */
  | "busy"
  /** It has not started, or stops. */
  | "stopped";

/** A certificate was not ordered. The message is the reason, for the person who asked for that. */
export class ProvisioningError extends Error {
  override readonly name = "ProvisioningError";

  constructor(readonly code: ProvisioningErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
