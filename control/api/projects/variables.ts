import { z } from "zod";

/** Of one deployment. */
export const MAX_VARIABLES = 1000;
const MAX_NAME_BYTES = 128;
const MAX_VALUE_BYTES = 16 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What would steer the runtime, or the way out, of an isolate (INTERFACE §3). */
const RESERVED = /^(?:(?:DENO|LD|OTEL|ISOLA)_.*|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|.*_PROXY|__proto__)$/i;

/** The environment of a deployment. Every wrong variable is named. */
export const variables = z.custom<Record<string, string>>(isObject, "must be an object")
  .superRefine((given, context) => {
    const entries = Object.entries(given);
    if (entries.length > MAX_VARIABLES) tooManyVariables(context);
    else refuseWrong(entries, context);
  });

/** What is changed of the environment of a deployment; `null` removes a variable. */
export const variableOverrides = z.custom<Record<string, string | null>>(isObject, "must be an object")
  .superRefine((given, context) =>
    refuseWrong(Object.entries(given).filter(([, value]) => value !== null), context)
  );

/** Refuses a list of variables as a whole. */
export function tooManyVariables(context: z.RefinementCtx): never {
  context.addIssue({ code: "custom", message: `has more than ${MAX_VARIABLES} variables` });
  return z.NEVER;
}

function refuseWrong(entries: [name: string, value: unknown][], context: z.RefinementCtx): void {
  for (const [name, value] of entries) {
    const problem = variableProblem(name, value);
    if (problem !== null) context.addIssue({ code: "custom", message: problem, path: [name.slice(0, 200)] });
  }
}

/** Why a deployment cannot have that variable, or `null`. */
export function variableProblem(name: string, value: unknown): string | null {
  if (!NAME.test(name)) return "its name must be a letter or _, then letters, digits and _";
  if (name.length > MAX_NAME_BYTES) return `its name is longer than ${MAX_NAME_BYTES} bytes`;
  if (RESERVED.test(name)) {
    return "its name is reserved: DENO_*, LD_*, OTEL_*, ISOLA_*, NODE_OPTIONS, NODE_EXTRA_CA_CERTS, *_PROXY";
  }
  if (typeof value !== "string") return "its value must be a string";
  if (value.includes("\0")) return "its value contains NUL";
  if (!value.isWellFormed()) return "its value is not valid Unicode";
  if (new TextEncoder().encode(value).length > MAX_VALUE_BYTES) {
    return `its value is longer than ${MAX_VALUE_BYTES} bytes`;
  }
  return null;
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
