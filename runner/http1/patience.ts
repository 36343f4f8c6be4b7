import type { VisitorLimits } from "../visitor_limits.ts";

/**
 * What a visitor's connection is about: `head` = its first request, or a head that has begun; `rest` = between two
 * requests; `request` = one is under way; `answer` = its response has begun; `webSocket` = frames, whose pings tell who is
 * there.
 */
type Phase = "head" | "rest" | "request" | "answer" | "webSocket";

/**
 * How long one connection of a visitor may still take. Whatever happens there is only counted; a clock is read by whoever
 * calls `sweep` now and then, so limits hold to the precision of these calls.
 */
export class Patience {
  readonly #limits: VisitorLimits;
  #phase: Phase = "head";
  /** Changes with what the current phase waits for. */
  readonly #progress = new Standstill();
  #steps = 0;
  /** Changes with every write. */
  readonly #writing = new Standstill();
  #writes = 0;
  #isWriting = false;
  #awaitsBody = false;
  /** Of the current request's body, when it was last waited for. */
  #bodyBytes = 0;
  #bodyWaitMs = 0;
  #sweptAtMs = performance.now();

  constructor(limits: VisitorLimits) {
    this.#limits = limits;
  }

  /** By `performance.now()`, to the precision of `sweep`; `null` = a request is under way. */
  get idleSinceMs(): number | null {
    if (this.#phase !== "head" && this.#phase !== "rest") return null;
    return this.#progress.sinceMs(this.#steps) ?? this.#sweptAtMs;
  }

  /**
   * A request is waited for. More of it does not prolong that.
   *
   * @param hasBegun Some of its head has come.
   */
  awaitRequest(hasBegun: boolean): void {
    if (this.#phase === "head") return;
    if (hasBegun) this.#enter("head");
    else if (this.#phase !== "rest") this.#enter("rest");
  }

  /** The head of a request is whole. */
  beginRequest(): void {
    this.#enter("request");
    this.#awaitsBody = false;
    this.#bodyWaitMs = 0;
  }

  /**
   * Nothing can be done until more of the body comes. Once the response has begun, that may take as long as it likes.
   *
   * @param takenBytes So much of it has come.
   */
  awaitBody(takenBytes: number): void {
    this.#awaitsBody = true;
    this.#bodyBytes = takenBytes;
  }

  /** The visitor has sent something. */
  received(): void {
    if (this.#phase === "head" || this.#phase === "rest") return;
    this.#steps++;
    this.#awaitsBody = false;
  }

  /** A response begins, or goes on. */
  answer(): void {
    if (this.#phase !== "webSocket") this.#phase = "answer";
  }

  /** The visitor is to take something; before it has, nothing else is written. */
  beginWrite(): void {
    this.#isWriting = true;
    this.#writes++;
  }

  /** It has taken some of it. */
  endWrite(): void {
    this.#isWriting = false;
    this.#steps++;
  }

  /** The connection is a WebSocket from now on. */
  upgrade(): void {
    this.#enter("webSocket");
  }

  /**
   * To be called regularly.
   *
   * @param nowMs By `performance.now()`.
   * @returns Whether a limit is passed.
   */
  sweep(nowMs: number): boolean {
    const passedMs = nowMs - this.#sweptAtMs;
    this.#sweptAtMs = nowMs;
    const stillMs = this.#progress.forMs(this.#steps, nowMs);
    const writingMs = this.#writing.forMs(this.#writes, nowMs);
    const limits = this.#limits;
    if (this.#isWriting && writingMs >= limits.writeTimeoutMs) return true;
    switch (this.#phase) {
      case "head":
        return stillMs >= limits.headerTimeoutMs;
      case "rest":
        return stillMs >= limits.keepAliveTimeoutMs;
      case "request":
        return stillMs >= limits.silenceTimeoutMs || this.#isBodyTooSlow(passedMs);
      case "answer":
        return stillMs >= limits.silenceTimeoutMs;
      case "webSocket":
        return false;
    }
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#steps++;
  }

  /** Between two sweeps it is taken to have been as at their end. */
  #isBodyTooSlow(passedMs: number): boolean {
    if (!this.#awaitsBody) return false;
    this.#bodyWaitMs += passedMs;
    const { bodyGraceMs, minBodyBytesPerSecond } = this.#limits;
    return this.#bodyWaitMs > bodyGraceMs &&
      this.#bodyBytes < minBodyBytesPerSecond * this.#bodyWaitMs / 1000;
  }
}

/** Since when a count has not changed, as far as whoever looks now and then can tell. */
class Standstill {
  #count = -1;
  #sinceMs = 0;

  forMs(count: number, nowMs: number): number {
    if (count !== this.#count) {
      this.#count = count;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs;
  }

  /** `undefined` = it has changed since the last look. */
  sinceMs(count: number): number | undefined {
    return count === this.#count ? this.#sinceMs : undefined;
  }
}
