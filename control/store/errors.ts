/** Why the store refused. What it means to a caller of the API is decided at the API's edge. */
export type StoreErrorCode =
  /** Another server holds the data directory. */
  | "locked"
  /** The data directory was written by a newer version. */
  | "tooNew"
  /** The database cannot be read. */
  | "damaged"
  /** The key of the secrets is missing, or another one. */
  | "secretKey"
  /** A project of that name exists. */
  | "nameTaken"
  /** An organization of that name exists. */
  | "organizationNameTaken"
  /** An organization still has something. */
  | "organizationNotEmpty"
  /** A token of that name exists. */
  | "tokenNameTaken"
  /** An organization, or the machine, has as many tokens as it may. */
  | "tooManyTokens"
  /** Without the token nobody could manage the machine. */
  | "lastAdmin"
  /** A domain is registered already. */
  | "domainTaken"
  /** An organization has as many domains to be verified as it may. */
  | "tooManyDomains"
  /** There is no such domain (any more). */
  | "domainMissing"
  /** A deployment names content that is not stored. */
  | "blobMissing"
  /** Content is longer than its bound. */
  | "tooLarge"
  /** Content has another hash than it was announced with. */
  | "hashMismatch"
  /** Too many writes at once. */
  | "busy";

/** An expected refusal of the store. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
