import { z } from "zod";
import { isObject, MAX_VARIABLES, tooManyVariables, variableProblem } from "./variables.ts";

const CONTEXTS = ["production", "preview"] as const;

const contexts = z.array(z.enum(CONTEXTS, 'must be "production" or "preview"')).min(1, "must name a context")
  .max(CONTEXTS.length, "must name each context once")
  .transform((given) => [...new Set(given)]);

/** How a variable is given that is more than its value. */
const variable = z.object({
  value: z.string().nullable(),
  secret: z.boolean().optional(),
  contexts: contexts.default([...CONTEXTS]),
});

/** One variable of a body, checked; `null` as its value means what the call says. */
export type GivenVariable = z.infer<typeof variable> & { name: string };

/**
 * Many changes by name: a value, `{value, secret?, contexts?}`, or `null`, which removes. Of what is not said, `secret` stays
 * as it is and `contexts` are all.
 */
export const variableChanges = z.custom<Record<string, unknown>>(
  isObject,
  "must be an object of variables by name",
)
  .transform((given, context) => {
    const entries = Object.entries(given);
    if (entries.length > MAX_VARIABLES) return tooManyVariables(context);
    return entries.flatMap(([name, change]) => {
      const whole = isObject(change) ? change : { value: change };
      return readVariable(name, whole, [name.slice(0, 200)], context);
    });
  });

/** All variables, as they are listed: what is not in it is removed. No name is twice in a context. */
export const variableList = z.array(z.unknown(), "must be a list of variables").max(2 * MAX_VARIABLES)
  .transform((given, context) => {
    const seen = new Set<string>();
    return given.flatMap((one, index) => {
      const name = isObject(one) ? one.name : undefined;
      if (typeof name !== "string") {
        context.addIssue({ code: "custom", message: "must have a name, a string", path: [index, "name"] });
        return [];
      }
      const read = readVariable(name, one as Record<string, unknown>, [index], context);
      for (const where of read.flatMap((variable) => variable.contexts)) {
        if (seen.has(`${where} ${name}`)) {
          context.addIssue({ code: "custom", message: `is there twice for ${where}`, path: [index] });
        }
        seen.add(`${where} ${name}`);
      }
      return read;
    });
  });

function readVariable(
  name: string,
  given: Record<string, unknown>,
  path: PropertyKey[],
  context: z.RefinementCtx,
): GivenVariable[] {
  const problem = variableProblem(name, given.value ?? "");
  if (problem !== null) {
    context.addIssue({ code: "custom", message: problem, path });
    return [];
  }
  const { data, error } = variable.safeParse(given);
  if (data !== undefined) return [{ ...data, name }];
  for (const { message, path: below } of error.issues) {
    context.addIssue({ code: "custom", message, path: [...path, ...below] });
  }
  return [];
}
