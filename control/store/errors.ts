/** Why the store refused. What it means to a caller of the API is decided at the API's edge. */
export type StoreErrorCode =
  /** Another server holds the data directory. */
  | "locked"
  /** The data directory was written by a newer version. */
  | "tooNew"
  /** A project of that name exists. */
  | "nameTaken"
  /** A domain is registered already. */
  | "domainTaken"
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
