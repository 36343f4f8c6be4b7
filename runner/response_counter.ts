import type { RefusedTokens, ResponseCounts, TokenProblem } from "./contract.ts";
import type { ErrorCode } from "./errors.ts";

/** How often it is told what was counted. */
const TELL_EVERY_MS = 1000;

/** Counts responses to visitors: for metrics, which need no single request. */
export class ResponseCounter implements Disposable {
  readonly #tell: (counts: ResponseCounts) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  /** By the first digit of their status; the first place is nobody's. */
  #byClass = [0, 0, 0, 0, 0, 0];
  #errors: Partial<Record<ErrorCode, number>> = {};
  /** By subhoster and problem. */
  #refusedTokens = new Map<string, RefusedTokens>();
  #isNew = false;

  /** @param tell Gets what was counted since it was told last. */
  constructor(tell: (counts: ResponseCounts) => void) {
    this.#tell = tell;
    this.#timer = setInterval(() => this.#tellNew(), TELL_EVERY_MS);
  }

  /** A response begins. */
  count(status: number): void {
    this.#byClass[status / 100 | 0]!++;
    this.#isNew = true;
  }

  /** An error page takes the place of a response. */
  countError(code: ErrorCode): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
    this.#isNew = true;
  }

  /**
   * A relay's token was refused.
   *
   * @param subhosterId `null` = of nobody who is known. **Invariant:** only ids of subhosters, so that they are few.
   */
  countRefusedToken(subhosterId: string | null, problem: TokenProblem): void {
    const key = `${problem} ${subhosterId}`;
    const refused = this.#refusedTokens.get(key);
    if (refused === undefined) this.#refusedTokens.set(key, { subhosterId, problem, count: 1 });
    else refused.count++;
    this.#isNew = true;
  }

  /** Tells the rest. Idempotent. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#tellNew();
  }

  #tellNew(): void {
    if (!this.#isNew) return;
    const refusedTokens = [...this.#refusedTokens.values()];
    this.#tell({ byClass: this.#byClass, errors: this.#errors, refusedTokens });
    this.#byClass = [0, 0, 0, 0, 0, 0];
    this.#errors = {};
    this.#refusedTokens.clear();
    this.#isNew = false;
  }
}
