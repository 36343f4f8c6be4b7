import { type Command, type Options, optionsOf } from "./command.ts";

const EXIT_CODES = `Exit codes:
  0    done
  1    the operation failed (a build that failed, a name that is taken, …)
  2    the command line is wrong
  3    the server cannot be reached
  4    the access token is missing, not accepted, or may not do that
  130  interrupted`;

/** What `isola --help` prints. */
export function overviewHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "Isola: a self-hosted isolate cloud",
    "",
    "Usage: isola COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "isola COMMAND --help shows the options of a command; isola --version the version.",
    "",
    EXIT_CODES,
  ].join("\n");
}

/** Where nobody says how wide a line may be. */
const MAX_COLUMNS = 110;
/** What an option's help gets at least, however narrow the terminal is. */
const MIN_OPTION_COLUMNS = 24;

/** What `isola COMMAND --help` prints, in lines of at most so many columns where words and examples allow it. */
export function commandHelp(command: Command, columns: number): string {
  const width = Math.min(columns, MAX_COLUMNS);
  return [
    command.summary,
    "",
    ...command.usage.map((line, index) => `${index === 0 ? "Usage:" : "      "} isola ${line}`),
    ...(command.details ? ["", wrap(command.details, width)] : []),
    "",
    "Options:",
    ...optionLines(optionsOf(command), width),
    "",
    "Examples:",
    ...command.examples.map((line) => `  ${line}`),
    "",
    EXIT_CODES,
  ].join("\n");
}

function optionLines(options: Options, columns: number): string[] {
  const rows = Object.entries(options).map(([name, { short, value, help, multiple }]) => {
    const flag = `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
    return [flag, multiple ? `${help} (repeatable)` : help] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const indent = width + 4;
  const helpColumns = Math.max(columns - indent, MIN_OPTION_COLUMNS);
  return rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${wrap(help, helpColumns, indent)}`);
}

/** Breaks paragraphs between words; lines after the first begin with `indent` blanks. */
function wrap(text: string, columns: number, indent = 0): string {
  const paragraphs = text.split("\n\n").map((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.split(/\s+/)) {
      const line = lines.at(-1);
      if (line !== undefined && line.length + 1 + word.length <= columns) {
        lines.push(`${lines.pop()} ${word}`);
      } else lines.push(word);
    }
    return lines.join(`\n${" ".repeat(indent)}`);
  });
  return paragraphs.join("\n\n");
}
