import { type Command, type Options, optionsOf } from "./command.ts";

const EXIT_CODES = `Exit codes:
  0    done
  1    the operation failed (a build that failed, a name that is taken, …)
  2    the command line is wrong
  3    the server cannot be reached
  4    the access token is missing or not accepted
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

/** What `isola COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  return [
    command.summary,
    "",
    ...command.usage.map((line, index) => `${index === 0 ? "Usage:" : "      "} isola ${line}`),
    ...(command.details ? ["", command.details] : []),
    "",
    "Options:",
    ...optionLines(optionsOf(command)),
    "",
    "Examples:",
    ...command.examples.map((line) => `  ${line}`),
    "",
    EXIT_CODES,
  ].join("\n");
}

function optionLines(options: Options): string[] {
  const rows = Object.entries(options).map(([name, { short, value, help, multiple }]) => {
    const flag = `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
    return [flag, multiple ? `${help} (repeatable)` : help] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`);
}
