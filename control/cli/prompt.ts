import { CliError } from "./cli_error.ts";
import type { CommandContext } from "./command.ts";

/** Standard input: what the command line needs of `Deno.stdin`. */
export interface InputStream {
  /** Resolves with how many bytes there are now; `null` = there will be no more. */
  read(into: Uint8Array): Promise<number | null>;
  isTerminal(): boolean;
  /** Whether what is typed comes at once, and is not shown. */
  setRaw(raw: boolean, options: { cbreak: boolean }): void;
}

type Asking = Pick<CommandContext, "terminal" | "deps">;

/** The longest that is read from standard input. */
const MAX_INPUT_BYTES = 2 ** 20;
const LINE_END = /[\r\n]/;
const BACKSPACE = /[\b\x7f]/;

/**
 * Asks the person at the terminal whether to go on; where there is none, goes on.
 *
 * @throws {CliError} `interrupted`: the answer is no
 */
export async function confirm({ terminal, deps }: Asking, question: string): Promise<void> {
  if (!deps.stdin.isTerminal()) return;
  terminal.ask(`${question} [y/N] `);
  const answer = await readInput(deps, (text) => LINE_END.test(text));
  if (!/^\s*y(es)?\s*$/i.test(answer)) throw new CliError("interrupted", "Nothing was changed");
}

/** What is typed in a line, without showing it, or all that comes from a pipe, without the line feed at its end. */
export async function readHidden({ terminal, deps }: Asking, question: string): Promise<string> {
  if (!deps.stdin.isTerminal()) return (await readInput(deps, () => false)).replace(/\r?\n$/, "");
  terminal.ask(question);
  deps.stdin.setRaw(true, { cbreak: true });
  try {
    return withoutDeleted(await readInput(deps, (text) => LINE_END.test(text)));
  } finally {
    deps.stdin.setRaw(false, { cbreak: false });
    terminal.note("");
  }
}

/** All of standard input. */
export function readAll({ deps }: Pick<Asking, "deps">): Promise<string> {
  return readInput(deps, () => false);
}

async function readInput(
  { stdin, signal }: Asking["deps"],
  isWhole: (text: string) => boolean,
): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16 * 1024);
  const interrupted = new Promise<never>((_, reject) => {
    const interrupt = () => reject(new CliError("interrupted", "Interrupted"));
    if (signal.aborted) interrupt();
    else signal.addEventListener("abort", interrupt, { once: true });
  });
  let text = "";
  while (!isWhole(text)) {
    const length = await Promise.race([stdin.read(buffer), interrupted]);
    if (length === null) break;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
    if (text.length > MAX_INPUT_BYTES) {
      throw new CliError("usage", `Cannot read standard input: it is longer than ${MAX_INPUT_BYTES} bytes`);
    }
  }
  return text;
}

/** The line that was meant: a terminal that sends each key at once also sends the deleting ones. */
function withoutDeleted(typed: string): string {
  const kept: string[] = [];
  for (const key of typed.split(LINE_END, 1)[0]!) {
    if (BACKSPACE.test(key)) kept.pop();
    else kept.push(key);
  }
  return kept.join("");
}
