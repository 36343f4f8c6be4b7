import type { MiddlewareHandler } from "hono";
import type { Principal, Tokens } from "../../store/mod.ts";
import { AuthThrottle } from "./auth_throttle.ts";
import type { ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";

/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** Finds out who calls, and slows down who guesses. */
export class Authenticator {
  readonly #tokens: Tokens;
  readonly #throttle = new AuthThrottle();
  #failures = 0;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  /** Tokens that were not known, since the start. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Whose token this is.
   *
   * @param address Where the call comes from.
   * @throws {ApiError} `unauthorized`: it is unknown, expired or revoked; `tooManyAttempts`: too many were unknown.
   */
  authenticate(text: string, address: string): Principal {
    const found = this.#throttle.admits(address, text) ? this.#tokens.authenticate(text) : null;
    switch (found?.state) {
      case "accepted":
        this.#throttle.succeeded(address, text);
        return found.principal;
      case "expired":
        throw new ApiError("unauthorized", `The access token "${found.name}" expired at ${found.at}`);
      case "revoked":
        throw new ApiError("unauthorized", `The access token "${found.name}" was revoked at ${found.at}`);
    }
    this.#failures++;
    const waitMs = this.#throttle.waitMs(address);
    if (found !== null) this.#throttle.failed(address);
    if (waitMs === 0) throw new ApiError("unauthorized", "The access token is not known to this server");
    const retryAfterSeconds = Math.ceil(waitMs / 1000);
    throw new ApiError(
      "tooManyAttempts",
      `Too many unknown access tokens came from ${address}: try again in ${retryAfterSeconds} s`,
      { retryAfterSeconds },
    );
  }
}

/** Requires an access token, before anything of the body is read. */
export function authenticate(authenticator: Authenticator): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const token = BEARER.exec(c.req.header("authorization") ?? "")?.[1];
    if (token === undefined) {
      throw new ApiError("unauthorized", `An access token is required: "Authorization: Bearer …"`);
    }
    c.set("principal", authenticator.authenticate(token, c.env.address));
    await next();
  };
}
