/** TLS alerts that are sent before there is a TLS connection, with their numbers (RFC 8446 §6). */
export const ALERT = {
  unexpectedMessage: 10,
  illegalParameter: 47,
  decodeError: 50,
  internalError: 80,
  missingExtension: 109,
  unrecognizedName: 112,
} as const;

/** Why a handshake ends before it has begun. */
export type Alert = keyof typeof ALERT;

/** A fatal alert as a whole record, which every version of TLS reads. */
export function alertRecord(alert: Alert): Uint8Array {
  return Uint8Array.of(0x15, 3, 3, 0, 2, 2, ALERT[alert]);
}
