/** More than a round trip brings of frames that were sent before the visitor heard of the end. */
const REMEMBERED = 256;

/** How the last streams of a connection ended: what still comes for one is an error or not, depending on that. */
export class ClosedStreams {
  /** By turns; one that we reset is negative. */
  readonly #ids = new Int32Array(REMEMBERED);
  #next = 0;

  /** @param byUs We have reset it, so that the visitor may not know yet. */
  add(id: number, byUs: boolean): void {
    this.#ids[this.#next] = byUs ? -id : id;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  /** How a stream ended; "unknown" = long ago, or it never began. */
  howEnded(id: number): "reset by us" | "ended" | "unknown" {
    if (this.#ids.includes(-id)) return "reset by us";
    return this.#ids.includes(id) ? "ended" : "unknown";
  }
}
