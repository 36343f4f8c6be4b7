/** Why files cannot be deployed as they are, for whoever they belong to. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}
