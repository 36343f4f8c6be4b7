import { formatElapsed } from "./quantity.ts";
import { table } from "./table.ts";

/** A standard stream: what the command line needs of `Deno.stdout` and `Deno.stderr`. */
export interface OutputStream {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

const COLORS = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, dim: 2, bold: 1 } as const;
const BAR_WIDTH = 24;
const REDRAW_INTERVAL_MS = 100;
const CLEAR_LINE = "\r\x1b[K";

/** How a text is set off, where the stream shows it. */
export type Color = keyof typeof COLORS;

/** Results on standard output, everything said on the way on standard error. No colour unless it is a terminal. */
export class Terminal {
  /** How wide standard output is; Infinity where it is no terminal. */
  readonly columns: number;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  readonly #noColor: boolean;
  readonly #encoder = new TextEncoder();
  #progressShown = "";
  #progressAtMs = -Infinity;

  constructor(
    streams: { stdout: OutputStream; stderr: OutputStream; env: Readonly<Record<string, string>> },
  ) {
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    // https://no-color.org: any value that is not empty.
    this.#noColor = Boolean(streams.env.NO_COLOR);
    this.columns = streams.stdout.isTerminal() ? Number(streams.env.COLUMNS) || consoleColumns() : Infinity;
  }

  /** Whether somebody is watching the progress. */
  get isInteractive(): boolean {
    return this.#stderr.isTerminal();
  }

  /** A line of the result. */
  print(line: string, color?: Color, prefix?: { text: string; color: Color }): void {
    this.clearProgress();
    const before = prefix ? this.#paint(this.#stdout, prefix.text, prefix.color) : "";
    this.#write(this.#stdout, before + this.#paint(this.#stdout, line, color) + "\n");
  }

  /** Rows under a header, the column that matters least at the end: on a terminal no line is longer than it is wide. */
  printTable(...[header, rows]: Parameters<typeof table>): void {
    for (const line of table(header, rows)) {
      this.print(line.length > this.columns ? `${line.slice(0, this.columns - 1)}…` : line);
    }
  }

  /** The whole result, for a program. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** A line about what is going on. */
  note(line: string, color?: Color): void {
    this.clearProgress();
    this.#write(this.#stderr, this.#paint(this.#stderr, line, color) + "\n");
  }

  /** A question, whose answer stands behind it. */
  ask(question: string): void {
    this.clearProgress();
    this.#write(this.#stderr, question);
  }

  /** Redraws the progress bar, with `detail` beside it; nothing where nobody watches. */
  progress(label: string, done: number, total: number, detail = ""): void {
    const isTooSoon = performance.now() - this.#progressAtMs < REDRAW_INTERVAL_MS;
    if (!this.isInteractive || (isTooSoon && done < total)) return;
    this.#progressAtMs = performance.now();
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * BAR_WIDTH);
    const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
    this.#show(`${label} ${bar} ${Math.floor(share * 100)}%${detail && `  ${detail}`}`);
  }

  /** Shows for how long something has gone on, until it is disposed; nothing where nobody watches. */
  working(label: string): Disposable {
    if (!this.isInteractive) return { [Symbol.dispose]() {} };
    const startedAt = performance.now();
    const show = () => this.#show(`${label} ${formatElapsed(performance.now() - startedAt)}`);
    show();
    const timer = setInterval(show, REDRAW_INTERVAL_MS);
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        this.clearProgress();
      },
    };
  }

  /** Takes the progress bar away. */
  clearProgress(): void {
    if (this.#progressShown === "") return;
    this.#progressShown = "";
    this.#write(this.#stderr, CLEAR_LINE);
  }

  #show(line: string): void {
    if (line !== this.#progressShown) this.#write(this.#stderr, CLEAR_LINE + line);
    this.#progressShown = line;
  }

  #paint(stream: OutputStream, line: string, color?: Color): string {
    return color && !this.#noColor && stream.isTerminal() ? `\x1b[${COLORS[color]}m${line}\x1b[0m` : line;
  }

  #write(stream: OutputStream, text: string): void {
    let bytes = this.#encoder.encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  }
}

function consoleColumns(): number {
  try {
    return Deno.consoleSize().columns || Infinity;
  } catch {
    // None of the standard streams is a terminal.
    return Infinity;
  }
}

/**
 * Text from elsewhere (a deployment's log), made harmless for a terminal: control characters apart from line feed, tab
 * and colours (SGR, ECMA-48 8.3.117) are removed, so that no log line moves the cursor, renames the window or answers
 * a prompt.
 */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/(\x1b\[[\d;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (_, color?: string) => color ?? "");
}
