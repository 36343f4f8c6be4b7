import type { CompletedCommand, CompletedOption } from "./completed_command.ts";

/** A script for zsh, to be sourced, or put as `_isola` into a folder of `$fpath` (zshcompsys(1)). */
export function zshCompletions(commands: readonly CompletedCommand[]): string {
  return `#compdef isola
# Completions of isola for zsh: source <(isola completions zsh)
_isola() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case "$words[1]" in
${commands.map(commandCase).join("\n")}
  esac
}
if [[ "$funcstack[1]" == _isola ]]; then _isola "$@"; else compdef _isola isola; fi
`;
}

function commandCase({ name, actions, options, takesPaths }: CompletedCommand): string {
  const specs = options.map(optionSpec);
  if (actions.length > 0) specs.push(quoted(`1:action:(${actions.join(" ")})`));
  if (takesPaths) specs.push(quoted("*:path:_files"));
  return `    ${name})\n      _arguments -s ${
    specs.map((spec) => `\\\n        ${spec}`).join(" ")
  }\n      ;;`;
}

function optionSpec({ name, short, help, multiple, value }: CompletedOption): string {
  const description = `[${help.replace(/[[\]\\:]/g, "\\$&")}]`;
  const argument = value === "none"
    ? ""
    : value === "path"
    ? ":path:_files"
    : value === "unknown"
    ? ":value: "
    : `:value:(${value.join(" ")})`;
  const repeat = multiple ? "*" : "";
  if (short === undefined) return quoted(`${repeat}--${name}${description}${argument}`);
  const alone = multiple ? "*" : `(-${short} --${name})`;
  return `${quoted(alone)}{-${short},--${name}}${quoted(description + argument)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
