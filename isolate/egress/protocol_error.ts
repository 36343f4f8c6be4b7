/** A sandbox did not keep to the protocol: its connection ends without an answer. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
