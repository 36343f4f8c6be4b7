import type { MiddlewareHandler } from "hono";
import { ApiError } from "./errors.ts";

const WITH_ID = /^(?:\/api)?\/v1\/(organization|project|domain|database|deployment)s\/([^/]+)/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** As {@linkcode newDeploymentId} makes them. */
const DEPLOYMENT_ID = /^[a-z0-9]{12}$/;

/** Refuses a path whose id cannot be one, as the official server does: that is not to be taken for something deleted. */
export function checkPathIds(): MiddlewareHandler {
  return async (c, next) => {
    const [, kind, id = ""] = WITH_ID.exec(c.req.path) ?? [];
    const isDeployment = kind === "deployment";
    if (kind !== undefined && !(isDeployment ? DEPLOYMENT_ID : UUID).test(id)) {
      const form = isDeployment ? `12 of "a-z" and "0-9"` : "a UUID, in lower case";
      throw new ApiError("badRequest", `Invalid request: "${kind}Id": "${id.slice(0, 100)}" must be ${form}`);
    }
    await next();
  };
}
