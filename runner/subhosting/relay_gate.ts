import { GatewayError } from "../errors.ts";
import type { RelayFields } from "../http1/request_head.ts";
import type { ResponseCounter } from "../response_counter.ts";
import { TokenError } from "./token_error.ts";
import type { TokenVerifier, Verified } from "./token_verifier.ts";

/** Who counts what is refused. */
export type RefusalCounter = Pick<ResponseCounter, "countRefusedToken">;

/** Lets in the requests of relays. */
export class RelayGate {
  readonly #verifier: TokenVerifier;
  readonly #counter: RefusalCounter;

  constructor(verifier: TokenVerifier, counter: RefusalCounter) {
    this.#verifier = verifier;
    this.#counter = counter;
  }

  /**
   * Where a relay's request leads.
   *
   * @throws {GatewayError} `UNAUTHORIZED`, which explains itself to the subhoster alone; `BAD_REQUEST`: it is the subhoster's,
   * but the app could not be told what its visitor asked for.
   */
  async admit({ token, prewarm, authority }: RelayFields): Promise<Verified> {
    const verified = await this.#verify(token);
    if (authority !== null || prewarm) return verified;
    throw new GatewayError("BAD_REQUEST", "Cannot forward a relay's request: no valid x-forwarded-host", {
      explanation: "The request needs an x-forwarded-host: a hostname, perhaps with a port.",
    });
  }

  async #verify(token: string): Promise<Verified> {
    try {
      return await this.#verifier.verify(token, Date.now());
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      const { problem, subhosterId, isSigned, message } = error;
      this.#counter.countRefusedToken(subhosterId, problem);
      throw new GatewayError("UNAUTHORIZED", message, isSigned ? { explanation: `${message}.` } : {});
    }
  }
}
