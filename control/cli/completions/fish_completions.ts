import type { CompletedCommand, CompletedOption } from "./completed_command.ts";

/** A script for fish, to be sourced, or put as `isola.fish` into `~/.config/fish/completions`. */
export function fishCompletions(commands: readonly CompletedCommand[]): string {
  return [
    "# Completions of isola for fish: isola completions fish | source",
    "complete -c isola -f",
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines({ name, summary, actions, options, takesPaths }: CompletedCommand): string[] {
  const seen = `__fish_seen_subcommand_from ${name}`;
  const actionAhead = `${seen}; and not __fish_seen_subcommand_from ${actions.join(" ")}`;
  return [
    `complete -c isola -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...(actions.length > 0
      ? [`complete -c isola -n ${quoted(actionAhead)} -a ${quoted(actions.join(" "))}`]
      : []),
    ...(takesPaths ? [`complete -c isola -n ${quoted(seen)} -F`] : []),
    ...options.map((option) => `complete -c isola -n ${quoted(seen)} ${optionFlags(option)}`),
  ];
}

function optionFlags({ name, short, help, value }: CompletedOption): string {
  const argument = value === "none"
    ? ""
    : value === "path"
    ? " -r -F"
    : value === "unknown"
    ? " -x"
    : ` -x -a ${quoted(value.join(" "))}`;
  return `-l ${name}${short === undefined ? "" : ` -s ${short}`}${argument} -d ${quoted(help)}`;
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
