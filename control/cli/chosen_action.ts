import { CliError } from "./cli_error.ts";

/** Where {@linkcode chosenAction} looks. */
export interface ActionChoice<Action> {
  /** The command that has them. */
  of: string;
  actions: Readonly<Record<string, Action>>;
  /** Those that the command does itself, named before the others. */
  besides?: readonly string[];
}

/**
 * The action that the word after a command names: `isola projects create`.
 *
 * @throws {CliError} `usage`: the command has no such action
 */
export function chosenAction<Action>(
  name: string,
  { of, actions, besides = [] }: ActionChoice<Action>,
): Action {
  if (Object.hasOwn(actions, name)) return actions[name]!;
  const known = [...besides, ...Object.keys(actions)].join(", ");
  throw new CliError("usage", `Unknown action "${name}" of ${of}: known are ${known}`);
}
