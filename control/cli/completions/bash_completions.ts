import { REMOTE_OPTIONS } from "../command.ts";
import type { CompletedCommand, CompletedOption } from "./completed_command.ts";

/** What may stand before the command with a value, which is no command. */
const VALUED = Object.entries(REMOTE_OPTIONS).flatMap(([name, { type }]) =>
  type === "string" ? `--${name}` : []
);

/** A script for bash 4 and later, to be sourced. */
export function bashCompletions(commands: readonly CompletedCommand[]): string {
  return `# Completions of isola for bash: source <(isola completions bash)
_isola() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      ${VALUED.join("|")}) ((index++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[index]}"; break ;;
    esac
  done
  local options="" actions="" paths=""
  COMPREPLY=()
  case "$command" in
    "") actions="${
    commands.map(({ name }) => name).join(" ")
  } help"; options="--help --version"; index=$COMP_CWORD ;;
${commands.map(commandCase).join("\n")}
    *) return ;;
  esac
  if [[ "$current" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [[ -n "$actions" ]] && { [[ -z "$command" ]] || ((COMP_CWORD == index + 1)); }; then
    mapfile -t COMPREPLY < <(compgen -W "$actions" -- "$current")
  elif [[ -n "$paths" ]]; then
    _isola_paths "$current"
  fi
}
_isola_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}
complete -F _isola isola
`;
}

function commandCase({ name, actions, options, takesPaths }: CompletedCommand): string {
  const after = valueCases(options);
  return [
    `    ${name})`,
    ...(after.length > 0 ? ['      case "$previous" in', ...after, "      esac"] : []),
    `      options="${options.flatMap(flags).join(" ")}"`,
    ...(actions.length > 0 ? [`      actions="${actions.join(" ")}"`] : []),
    ...(takesPaths ? ["      paths=1"] : []),
    "      ;;",
  ].join("\n");
}

/** What follows the options that have a value. */
function valueCases(options: readonly CompletedOption[]): string[] {
  const cases = Map.groupBy(options.filter(({ value }) => value !== "none"), ({ value }) => String(value));
  return [...cases.values()].map((alike) => {
    const { value } = alike[0]!;
    const complete = value === "path"
      ? '_isola_paths "$current"; '
      : typeof value === "string"
      ? ""
      : `mapfile -t COMPREPLY < <(compgen -W "${value.join(" ")}" -- "$current"); `;
    return `        ${alike.flatMap(flags).join("|")}) ${complete}return ;;`;
  });
}

function flags({ name, short }: CompletedOption): string[] {
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
}
