import { posix } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ProvidedFiles } from "./program.ts";
import type { FromSandbox, ToSandbox } from "./protocol.ts";

/** What {@linkcode FileQuestions} works with. */
export interface FileQuestionsOptions {
  files: ProvidedFiles;
  /** The program's directory. */
  dir: string;
  /** Sends an answer; resolves when it is sent, or cannot be any more. */
  answer(message: Extract<ToSandbox, { type: "file" }>): Promise<void>;
}

/** Whose answers are not sent yet. A guest has fewer, and has more wait. */
const MAX_OPEN = 64;
/** More are attended to in the next second. */
const MAX_PER_SECOND = 1_000;
/** linux/limits.h, PATH_MAX */
const MAX_PATH_BYTES = 4096;
const MAX_ERROR_CHARS = 1_000;
const encoder = new TextEncoder();

/** What one sandbox asks for of its program's files, at any rate and in any form, and who answers. */
export class FileQuestions {
  readonly #options: FileQuestionsOptions;
  readonly #open = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  #second = 0;
  #asked = 0;

  constructor(options: FileQuestionsOptions) {
    this.#options = options;
  }

  /**
   * Has what is asked for put in place, and says so when it is.
   *
   * @throws {TypeError | RangeError} when it is nothing that our code in there asks
   */
  ask({ id, path, content }: Extract<FromSandbox, { type: "file" }>): void {
    if (!Number.isSafeInteger(id) || !isPath(path) || typeof content !== "boolean") {
      throw new TypeError("Cannot answer for a file: it was not asked for as it must be");
    }
    if (this.#open.size >= MAX_OPEN) {
      throw new RangeError(`Cannot answer for over ${MAX_OPEN} files at once`);
    }
    const answered = this.#answer(id, path, content);
    this.#open.add(answered);
    void answered.then(() => this.#open.delete(answered));
  }

  /** Nothing is answered any more. Settles when nobody works for an answer; not set when that is so. */
  end(): Promise<unknown> | undefined {
    this.#ended.abort();
    return this.#open.size === 0 ? undefined : Promise.all(this.#open);
  }

  async #answer(id: number, path: string, content: boolean) {
    const error = await this.#provide(path, content);
    if (!this.#ended.signal.aborted) await this.#options.answer({ type: "file", id, error });
  }

  /** Why it could not; nothing if it could, or need not any more. */
  async #provide(path: string, content: boolean): Promise<string | undefined> {
    const { files, dir } = this.#options;
    try {
      await this.#turn();
      if (!this.#ended.signal.aborted) await files.provide(dir, path, content);
    } catch (error) {
      return (error instanceof Error ? error.message : String(error)).slice(0, MAX_ERROR_CHARS);
    }
  }

  /** Waits for a second in which there were not too many. */
  async #turn() {
    while (!this.#ended.signal.aborted) {
      const now = Date.now();
      const second = Math.floor(now / 1000);
      if (second !== this.#second) {
        this.#second = second;
        this.#asked = 0;
      }
      if (++this.#asked <= MAX_PER_SECOND) return;
      await delay(1000 - now % 1000, undefined, { signal: this.#ended.signal }).catch(() => {}); // It has ended.
    }
  }
}

function isPath(path: unknown): path is string {
  return typeof path === "string" && path.length <= MAX_PATH_BYTES &&
    encoder.encode(path).length <= MAX_PATH_BYTES && !path.includes("\0") &&
    posix.resolve("/", path) === path;
}
