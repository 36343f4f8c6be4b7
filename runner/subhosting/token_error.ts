import type { TokenProblem } from "../contract.ts";

/** Which problems only a token can have that is signed with a subhoster's secret. */
const IS_SIGNED = {
  malformed: false,
  algorithm: false,
  unknown_subhoster: false,
  signature: false,
  claims: true,
  expired: true,
  not_yet_valid: true,
  rpc_root: true,
} as const satisfies Record<TokenProblem, boolean>;

/** A relay's token is refused. */
export class TokenError extends Error {
  override name = "TokenError";

  /**
   * @param subhosterId Whose token it says to be; `null` = nobody's who is known.
   * @param reason A clause in ASCII, in which nothing of the token is but numbers.
   */
  constructor(
    readonly problem: TokenProblem,
    readonly subhosterId: string | null,
    reason: string,
  ) {
    super(`Cannot accept a token: ${reason}`);
  }

  /** Whoever sent it has it from the subhoster, and may be told what is wrong with it. */
  get isSigned(): boolean {
    return IS_SIGNED[this.problem];
  }
}
