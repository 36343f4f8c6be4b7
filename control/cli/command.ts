import { parseArgs } from "node:util";
import { nearest } from "../text/nearest.ts";
import type { ApiClient } from "./client.ts";
import { CliError } from "./cli_error.ts";
import type { FolderLink } from "./folder_link.ts";
import type { CliDeps } from "./run_cli.ts";
import type { Terminal } from "./terminal.ts";

/** One option of a command. */
export interface Option {
  type: "string" | "boolean";
  /** One letter. */
  short?: string;
  /** May be repeated; the values become a list. */
  multiple?: true;
  /** Name of the value in the help text. */
  value?: string;
  help: string;
  /** A project's name: without it, that of the folder's link, unless a deployment is named. */
  linked?: true;
}

/** The options of a command by their long names. */
export type Options = Readonly<Record<string, Option>>;

/** What was given for each option. */
export type OptionValues<O extends Options> = {
  [Name in keyof O]: O[Name] extends { type: "boolean" } ? boolean
    : O[Name] extends { multiple: true } ? string[]
    : string | undefined;
};

/** What a running command has at hand. */
export interface CommandContext<O extends Options = Options> {
  options: OptionValues<O>;
  positionals: readonly string[];
  /** Whether the output is for a program: JSON on standard output. */
  json: boolean;
  terminal: Terminal;
  deps: CliDeps;
  /**
   * Opens the connection to the server on the first call.
   *
   * @param link Instead of that of the current folder.
   */
  client(link?: FolderLink): ApiClient;
  /** Every command, in the order of the help text. */
  commands(): Promise<readonly Command[]>;
}

/** One command of the command line: `isola NAME …`. */
export interface Command<O extends Options = Options> {
  name: string;
  summary: string;
  /** What follows "isola ", one line for each form. */
  usage: readonly string[];
  /** Paragraphs of `--help`. */
  details?: string;
  options: O;
  /** Whether it talks to a server, and so has the options `--url`, `--token`, `--org` and `--json`. */
  remote: boolean;
  examples: readonly string[];
  /** @throws {CliError} */
  run(context: CommandContext<O>): Promise<void>;
}

/** The options that each command has. */
export const COMMON_OPTIONS = {
  help: { type: "boolean", short: "h", help: "show this help" },
} as const satisfies Options;

/** The options of each command that talks to a server. */
export const REMOTE_OPTIONS = {
  url: {
    type: "string",
    value: "URL",
    help: "control address of the server (ISOLA_URL; http://127.0.0.1:8001)",
  },
  token: {
    type: "string",
    value: "TOKEN",
    help: "access token (ISOLA_TOKEN, ISOLA_ADMIN_TOKEN, isola login)",
  },
  org: {
    type: "string",
    value: "NAME",
    help: "organization, where the access token reaches several (ISOLA_ORG)",
  },
  json: { type: "boolean", help: "print JSON for programs; progress goes to standard error" },
} as const satisfies Options;

/** All options of a command, the common ones last. */
export function optionsOf(command: Command): Options {
  return { ...command.options, ...(command.remote ? REMOTE_OPTIONS : {}), ...COMMON_OPTIONS };
}

/** Gives a command's `run` the types of its options. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}

/**
 * Splits `args` by a command's options. Everything after `--` is positional.
 *
 * @throws {CliError} `usage`: an unknown option, a value that is missing or too much
 */
export function parseCommandLine(
  args: readonly string[],
  options: Options,
): { values: Record<string, string | boolean | string[] | undefined>; positionals: string[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [name, {
      type,
      multiple: multiple ?? false,
      ...(short ? { short } : {}),
      ...(type === "boolean" ? { default: false } : multiple ? { default: [] } : {}),
    }]),
  );
  // Not strict: the library's own messages name neither the near miss nor the allowed options.
  const parsed = parseArgs({ args: [...args], options: config, strict: false, tokens: true });
  for (const token of parsed.tokens) {
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!option) throw unknownOption(token.rawName, options);
    if (option.type === "boolean" && token.value !== undefined) {
      throw new CliError("usage", `Option "${token.rawName}" takes no value`);
    }
    const missing = token.value === undefined || (!token.inlineValue && /^--?[a-z]/i.test(token.value));
    if (option.type === "string" && missing) {
      throw new CliError("usage", `Option "${token.rawName}" needs a value: ${option.value ?? "VALUE"}`);
    }
  }
  return {
    values: parsed.values as Record<string, string | boolean | string[]>,
    positionals: parsed.positionals,
  };
}

function unknownOption(rawName: string, options: Options): CliError {
  const known = Object.keys(options).map((name) => `--${name}`);
  const near = nearest(rawName, known);
  return new CliError(
    "usage",
    `Unknown option "${rawName}"` + (near ? `: did you mean "${near}"?` : `: known are ${known.join(", ")}`),
  );
}
