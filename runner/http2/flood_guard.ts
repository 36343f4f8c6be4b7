import type { VisitorLimits } from "../visitor_limits.ts";
import { ERROR, Http2Error } from "./protocol.ts";

/** What the limits are for. */
const WINDOW_MS = 30_000;
/** Frames that a client may send on the occasion of one of these without being counted: an update of two windows, a priority. */
const FRAMES_FOR_REQUEST = 2;
const FRAMES_FOR_DATA = 4;
/** What can be saved up. */
const MAX_CREDIT = 16_384;

/** Counts what costs us more than the visitor: frames that carry nothing, and streams that are broken off. */
export class FloodGuard {
  readonly #maxControlFrames: number;
  readonly #maxStreamResets: number;
  #startedAt = 0;
  #controlFrames = 0;
  #resets = 0;
  #credit = 0;

  constructor({ maxControlFrames, maxStreamResets }: VisitorLimits) {
    this.#maxControlFrames = maxControlFrames;
    this.#maxStreamResets = maxStreamResets;
  }

  /** A request has come. */
  request(): void {
    this.#credit = Math.min(this.#credit + FRAMES_FOR_REQUEST, MAX_CREDIT);
  }

  /** A frame of data went out. */
  dataSent(): void {
    this.#credit = Math.min(this.#credit + FRAMES_FOR_DATA, MAX_CREDIT);
  }

  /**
   * A frame has come that carries nothing for a request.
   *
   * @throws {Http2Error} `ERROR.enhanceYourCalm`: the connection has to end.
   */
  controlFrame(): void {
    if (this.#credit > 0) this.#credit--;
    else if (++this.#controlFrames > this.#maxControlFrames) throw flood("frames that carry nothing");
  }

  /**
   * A stream was broken off by the visitor, or because of what it sent (CVE-2023-44487, CVE-2025-8671).
   *
   * @throws {Http2Error} `ERROR.enhanceYourCalm`: the connection has to end.
   */
  streamReset(): void {
    if (++this.#resets > this.#maxStreamResets) throw flood("streams that were reset");
  }

  /** To be called about once a second. */
  sweep(nowMs: number): void {
    if (nowMs - this.#startedAt < WINDOW_MS) return;
    this.#startedAt = nowMs;
    this.#controlFrames = this.#resets = 0;
  }
}

function flood(what: string): Http2Error {
  return new Http2Error(ERROR.enhanceYourCalm, `too many ${what}`);
}
