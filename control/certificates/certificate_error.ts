/** A certificate, or its key, cannot be used. The message helps whoever made it. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";

  /**
   * @param problem What was found and what is allowed: the end of a sentence.
   * @param subject Which certificate, where there may be several.
   */
  constructor(readonly problem: string, { subject, cause }: { subject?: string; cause?: unknown } = {}) {
    super(`Cannot use certificate${subject === undefined ? "" : ` ${subject}`}: ${problem}`, { cause });
  }
}
