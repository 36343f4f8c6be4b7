import { MAX_VARIABLES } from "../api/projects/variables.ts";

/** Of names and values as JSON: a sandbox reads them in one line of at most 256 KiB, with little else. */
const MAX_BYTES = 128 * 1024;

type Environment = Readonly<Record<string, string>>;

/** Why a deployment cannot have these variables together, or `null`. */
export function environmentProblem(env: Environment): string | null {
  const count = Object.keys(env).length;
  if (count > MAX_VARIABLES) return `it would have ${count} variables: at most ${MAX_VARIABLES} are allowed`;
  const bytes = new TextEncoder().encode(JSON.stringify(env)).length;
  return bytes > MAX_BYTES
    ? `its variables would take ${bytes} bytes as JSON: at most ${MAX_BYTES} are allowed`
    : null;
}

/** Whether two environments have the same variables with the same values. */
export function isSameEnvironment(a: Environment, b: Environment): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
