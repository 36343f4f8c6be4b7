import type { MiddlewareHandler } from "hono";
import type { Tokens } from "../store/mod.ts";
import type { ApiEnv } from "./deps.ts";
import { ApiError } from "./errors.ts";

/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** Requires an access token, before anything of the body is read. */
export function authenticate(tokens: Tokens): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const token = BEARER.exec(c.req.header("authorization") ?? "")?.[1];
    const principal = token === undefined ? null : tokens.authenticate(token);
    if (principal === null) {
      throw new ApiError("unauthorized", `An access token is required: "Authorization: Bearer …"`);
    }
    c.set("principal", principal);
    await next();
  };
}
