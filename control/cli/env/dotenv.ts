import { parseEnv } from "node:util";
import type { ApiVariable } from "./variable_calls.ts";

/** In the order in which they are tried: within the first, all is literal. */
const QUOTES = ["'", '"', "`"];
const PLAIN = /^[\w./:@%+,=-]+$/;

/** The variables of a text of `NAME=VALUE` lines, as Node.js and `deno run --env-file` read it. */
export function parseDotenv(text: string): Record<string, string> {
  return { ...parseEnv(text) } as Record<string, string>;
}

/** A text that {@linkcode parseDotenv} reads, and the names that are only mentioned in it. */
export interface Dotenv {
  text: string;
  /** Secret. */
  hidden: string[];
  /** With a value that no such file can have, such as one with all kinds of quotes. */
  unwritable: string[];
}

/** The other way round. */
export function formatDotenv(variables: readonly Pick<ApiVariable, "name" | "value">[]): Dotenv {
  const file: Dotenv = { text: "", hidden: [], unwritable: [] };
  for (const { name, value } of variables) {
    const line = value === null ? null : assignment(name, value);
    if (line !== null) file.text += `${line}\n`;
    else {
      (value === null ? file.hidden : file.unwritable).push(name);
      file.text += `# ${name} ${value === null ? "is secret" : "cannot be written here"}\n`;
    }
  }
  return file;
}

/** Written so that it is read as it is, or `null`: nothing stands for a quote within quotes. */
function assignment(name: string, value: string): string | null {
  const candidates = [
    ...PLAIN.test(value) ? [`${name}=${value}`] : [],
    ...QUOTES.filter((quote) => !value.includes(quote)).map((quote) => `${name}=${quote}${value}${quote}`),
  ];
  const isRead = (line: string) => {
    const entries = Object.entries(parseDotenv(`${line}\n`));
    return entries.length === 1 && entries[0]![0] === name && entries[0]![1] === value;
  };
  return candidates.find(isRead) ?? null;
}
