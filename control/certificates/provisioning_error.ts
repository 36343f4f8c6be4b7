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
  /** The server stops. */
  | "stopped";

/** A certificate was not ordered. The message is for the person who asked. */
export class ProvisioningError extends Error {
  override readonly name = "ProvisioningError";

  constructor(readonly code: ProvisioningErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
