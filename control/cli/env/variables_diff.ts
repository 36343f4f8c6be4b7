import type { DeploymentContext } from "../../model.ts";
import { CliError } from "../cli_error.ts";
import type { ApiVariable, ApiVariableChange } from "./variable_calls.ts";

/** What a file of variables would change in a project. */
export interface VariablesDiff {
  added: string[];
  changed: string[];
  removed: string[];
  /** Secret ones that the file does not have: it could not, when it was pulled. */
  kept: string[];
  /** What makes it so. */
  changes: Record<string, ApiVariableChange>;
}

/**
 * Each name once, with its value in these contexts.
 *
 * @throws {CliError} `usage`: one differs between them
 */
export function oneOfEach(
  variables: readonly ApiVariable[],
  contexts: readonly DeploymentContext[],
): ApiVariable[] {
  const relevant = variables.filter((one) => one.contexts.some((context) => contexts.includes(context)));
  const differing = relevant.find((one) => !contexts.every((context) => one.contexts.includes(context)));
  if (differing !== undefined) {
    throw new CliError(
      "usage",
      `Variable "${differing.name}" is not the same in production and previews: say with --context which of them is meant`,
    );
  }
  return relevant;
}

/**
 * What has to change so that a project has the variables of a file in these contexts, and no others but secret ones.
 *
 * @param secret Whether those that are new are secret.
 * @throws {CliError} `usage`: a variable differs between the contexts
 */
export function diffVariables(
  current: readonly ApiVariable[],
  file: Readonly<Record<string, string>>,
  { contexts, secret }: { contexts: readonly DeploymentContext[]; secret: boolean },
): VariablesDiff {
  const before = new Map(oneOfEach(current, contexts).map((one) => [one.name, one]));
  const diff: VariablesDiff = { added: [], changed: [], removed: [], kept: [], changes: {} };
  for (const [name, value] of Object.entries(file)) {
    const known = before.get(name);
    const isSecret = known?.secret || secret;
    if (known === undefined) diff.added.push(name);
    else if (known.value !== value || isSecret !== known.secret) diff.changed.push(name);
    else continue;
    diff.changes[name] = { value, secret: isSecret, contexts: [...contexts] };
  }
  for (const { name, secret } of before.values()) {
    if (Object.hasOwn(file, name)) continue;
    (secret ? diff.kept : diff.removed).push(name);
    if (!secret) diff.changes[name] = { value: null, contexts: [...contexts] };
  }
  return diff;
}
