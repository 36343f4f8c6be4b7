import { z } from "zod";

const MAX_LENGTH = 1000;

/** A command of Deno's task language, to be run before a deployment is built. */
export const buildCommand = z.string().trim().min(1).max(MAX_LENGTH)
  .regex(/^[^\0\r\n]*$/, "must be one line");
