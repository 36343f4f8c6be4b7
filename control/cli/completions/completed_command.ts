import { type Command, optionsOf } from "../command.ts";

/** What a shell is told of one option. */
export interface CompletedOption {
  /** Without "--". */
  name: string;
  short?: string;
  help: string;
  /** Whether it may be repeated. */
  multiple: boolean;
  /** What follows it: nothing, one of some words, a path, or something that no shell knows. */
  value: "none" | "path" | "unknown" | readonly string[];
}

/** What a shell is told of one command. */
export interface CompletedCommand {
  name: string;
  summary: string;
  /** The words that may follow it at first: "list", "create". */
  actions: readonly string[];
  /** Whether paths follow it. */
  takesPaths: boolean;
  options: readonly CompletedOption[];
}

const PATH_NAMES = ["DIR", "FILE", "FOLDER", "PATH"];
const WORDS = /^[a-z][a-z-]*(\|[a-z][a-z-]*)*$/;

/** Reads off a command's definition what a shell can complete: the forms of its `usage`, and its options. */
export function completedCommand(command: Command): CompletedCommand {
  const forms = command.usage.map((form) => form.replace(/[[\]…]/g, "").split(/\s+/).slice(1));
  const actions = forms.flatMap(([first = ""]) => WORDS.test(first) ? first.split("|") : []);
  return {
    name: command.name,
    summary: command.summary,
    actions: [...new Set(actions)],
    takesPaths: forms.some((words) => words.some(isPath)),
    options: Object.entries(optionsOf(command)).map((
      [name, { type, short, multiple, value = "", help }],
    ) => ({
      name,
      ...(short === undefined ? {} : { short }),
      help,
      multiple: multiple ?? false,
      value: type === "boolean"
        ? "none"
        : isPath(value)
        ? "path"
        : WORDS.test(value)
        ? value.split("|")
        : "unknown",
    })),
  };
}

function isPath(word: string): boolean {
  return PATH_NAMES.includes(word);
}
