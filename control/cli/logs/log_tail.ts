import { setTimeout as delay } from "node:timers/promises";
import { CliError } from "../cli_error.ts";
import type { ApiClient, Call } from "../client.ts";
import { LineBag, RecentLines } from "./recent_lines.ts";

/** Before the first repetition; doubled for each further one. */
const MIN_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;
/** Of reading what is past, without a line between. */
const MAX_FAILURES = 6;
const EPOCH = new Date(0).toISOString();
/** A log goes with what it is of. */
const GONE = ["deploymentNotFound", "projectNotFound", "subhosterNotFound"];

/** A log of the API, and which of its lines are wanted. */
export interface LogSource {
  path: string;
  /** Beside their time and number. */
  query: Call["query"];
}

/** Which past lines: the newest so many, or all of a time. Times are ISO 8601, both inclusive. */
export type LogRange = { newest: number } | { since: string; until?: string | undefined };

/** How a log is read. */
export interface LogTailOptions {
  client: ApiClient;
  source: LogSource;
  /** Called each time that the connection is lost; it is tried again. */
  lost?(): void;
}

/** One log, read from its past to what comes, without a gap or a line twice, also when the server is started anew. */
export class LogTail<Line extends { time: string }> {
  readonly #options: LogTailOptions;
  #recent = new RecentLines<Line>(EPOCH);
  #live: AsyncGenerator<Line, void, void> | null = null;

  constructor(options: LogTailOptions) {
    this.#options = options;
  }

  /** Begins to listen, for {@linkcode live}: before the past is read, so that no line falls between the two. */
  async open(signal: AbortSignal): Promise<void> {
    this.#live = await this.#listen(signal);
  }

  /** Past lines, oldest first. */
  async *past(range: LogRange): AsyncGenerator<Line, void, void> {
    if (!("newest" in range)) return yield* this.#all(range);
    const newestFirst = await this.#options.client.json<Line[]>(
      this.#call({ since: EPOCH, order: "desc", limit: range.newest }),
    );
    this.#recent = new RecentLines(newestFirst.at(-1)?.time ?? EPOCH);
    for (const line of newestFirst.reverse()) yield this.#read(line);
  }

  /** What is written from {@linkcode open} on, without what was past meanwhile, until `signal` aborts or the log is no more. */
  async *live(signal: AbortSignal): AsyncGenerator<Line, void, void> {
    let known = this.#recent.bag();
    try {
      while (true) {
        yield* this.#untilLost(known);
        signal.throwIfAborted();
        this.#options.lost?.();
        known = yield* this.#catchUp(signal);
      }
    } catch (error) {
      const isOver = signal.aborted || (error instanceof CliError && GONE.includes(error.apiCode ?? ""));
      if (!isOver) throw error;
    }
  }

  /** Past lines, then what is written. */
  async *follow(range: LogRange, signal: AbortSignal): AsyncGenerator<Line, void, void> {
    const stop = new AbortController();
    const over = AbortSignal.any([signal, stop.signal]);
    try {
      await this.open(over);
      yield* this.past(range);
      yield* this.live(over);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stop.abort();
    }
  }

  /** All lines of a time; goes on where it was when the connection is lost. */
  async *#all(
    { since, until }: { since: string; until?: string | undefined },
  ): AsyncGenerator<Line, void, void> {
    this.#recent = new RecentLines(since);
    let known = new LineBag();
    for (let failures = 0;;) {
      try {
        for await (const line of await this.#pastSince(this.#recent.since, until)) {
          if (known.take(line)) continue;
          failures = 0;
          yield this.#read(line);
        }
        return;
      } catch (error) {
        if (!isPassing(error) || ++failures === MAX_FAILURES) throw error;
        known = this.#recent.bag();
        await delay(retryDelayMs(failures));
      }
    }
  }

  async *#untilLost(known: LineBag): AsyncGenerator<Line, void, void> {
    try {
      for await (const line of this.#live ?? []) if (!known.take(line)) yield this.#read(line);
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
  }

  /** Listens again as soon as the server is there, and reads what was missed. Returns what may come again. */
  async *#catchUp(signal: AbortSignal): AsyncGenerator<Line, LineBag, void> {
    for (let failures = 1;; failures++) {
      await delay(retryDelayMs(failures), undefined, { signal });
      try {
        await this.open(signal);
        const known = this.#recent.bag();
        const again = new LineBag();
        for await (const line of await this.#pastSince(this.#recent.since)) {
          again.add(line);
          if (!known.take(line)) yield this.#read(line);
        }
        return again;
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
    }
  }

  async #pastSince(since: string, until?: string): Promise<AsyncGenerator<Line, void, void>> {
    return await this.#options.client.stream<Line>(this.#call({ since, until, order: "asc", limit: "all" }));
  }

  async #listen(signal: AbortSignal): Promise<AsyncGenerator<Line, void, void>> {
    return await this.#options.client.stream<Line>({ ...this.#call({}), action: "follow log", signal });
  }

  #call(range: NonNullable<Call["query"]>): Call {
    const { path, query } = this.#options.source;
    return { action: "read log", path, query: { ...query, ...range } };
  }

  #read(line: Line): Line {
    this.#recent.add(line);
    return line;
  }
}

/** Whether the same call may succeed a little later. */
export function isPassing(error: unknown): boolean {
  return error instanceof CliError && (error.code === "unreachable" || error.apiCode === "overloaded");
}

function retryDelayMs(failures: number): number {
  return Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** (failures - 1));
}
