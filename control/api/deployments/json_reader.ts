import { ApiError } from "../errors.ts";
import { assertShallow, parseText } from "./json_text.ts";

/** Parsed in some milliseconds. */
const DEFAULT_MAX_VALUE_LENGTH = 2 ** 20;
const SPACE = /[ \t\n\r]*/y;
/** What ends a number, `true`, `false` or `null`. */
const SCALAR_END = /[\s,\]}]/g;
const BRACKET_OR_QUOTE = /["[\]{}]/g;

/** Bounds of one {@linkcode JsonReader}. */
export interface JsonReaderOptions {
  /** Characters of keys and values held, all together; text that is read in pieces is not. */
  maxHeld: number;
  /**
   * Characters of one value that is read as a whole, or of a key.
   *
   * @default {1_048_576}
   */
  maxValueLength?: number;
  /** Values that are read as a whole, and keys. */
  maxValues: number;
}

/**
 * Reads a JSON text (RFC 8259) while it arrives: objects member by member, long strings in pieces, all else as a whole.
 * Every method throws an {@linkcode ApiError} `badRequest` at what is not JSON.
 */
export class JsonReader implements AsyncDisposable {
  readonly #pieces: AsyncIterator<string>;
  readonly #options: JsonReaderOptions;
  #held = 0;
  #values = 0;
  /** What has arrived and was not read yet begins at `#at`. */
  #text = "";
  #at = 0;
  /** Characters before `#text`. */
  #before = 0;

  constructor(pieces: AsyncIterable<string>, options: JsonReaderOptions) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#options = options;
  }

  /** What was not read yet is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pieces.return?.();
  }

  /** The first character of what comes next, which is not read; `""` at the end. */
  async peek(): Promise<string> {
    do {
      SPACE.lastIndex = this.#at;
      SPACE.test(this.#text);
      this.#at = SPACE.lastIndex;
    } while (this.#at === this.#text.length && await this.#fill(1));
    return this.#text.charAt(this.#at);
  }

  /** Reads an object and yields its keys, before each of whose values, which has to be read then. */
  async *members(): AsyncGenerator<string> {
    await this.#expect("{");
    if (await this.peek() === "}") return void this.#at++;
    for (;;) {
      if (await this.peek() !== '"') throw this.#unexpected("a key");
      const key = await this.value() as string;
      await this.#expect(":");
      yield key;
      if (await this.peek() === "}") return void this.#at++;
      await this.#expect(",");
    }
  }

  /** Reads a whole value. */
  async value(): Promise<unknown> {
    const first = await this.peek();
    const findEnd = first === '"' ? stringEnd : first === "{" || first === "[" ? bracketEnd : scalarEnd;
    let end = findEnd(this.#text, this.#at);
    while (end < 0) {
      const length = this.#text.length - this.#at;
      this.#checkLength(length);
      // As much again, so that what is looked at twice does not add up.
      if (!await this.#fill(2 * length)) {
        if (findEnd !== scalarEnd) throw this.#unexpected("more");
        end = this.#text.length;
      } else end = findEnd(this.#text, this.#at);
    }
    this.#checkLength(end - this.#at);
    this.#held += end - this.#at;
    const { maxValues } = this.#options;
    if (++this.#values > maxValues) {
      throw new ApiError("bodyTooLarge", `The request body has more than ${maxValues} keys and values`);
    }
    const text = this.#text.slice(this.#at, end);
    assertShallow(text);
    this.#at = end;
    return parseText(text);
  }

  /** Reads a string in pieces, none of which ends within a character. */
  async *string(): AsyncGenerator<string> {
    await this.#expect('"');
    let highSurrogate = "";
    for (;;) {
      const end = closingQuote(this.#text, this.#at);
      const cut = end < 0 ? escapesEnd(this.#text, this.#at) : end;
      const piece = highSurrogate + parseText(`"${this.#text.slice(this.#at, cut)}"`);
      this.#at = cut;
      if (end >= 0) {
        this.#at++;
        return yield piece;
      }
      highSurrogate = /[\ud800-\udbff]$/.exec(piece)?.[0] ?? "";
      yield piece.slice(0, piece.length - highSurrogate.length);
      if (!await this.#fill(this.#text.length - this.#at + 1)) throw this.#unexpected("more");
    }
  }

  /** Reads to the end, where nothing more may be. */
  async end(): Promise<void> {
    if (await this.peek() !== "") throw this.#unexpected("its end");
  }

  async #expect(character: string): Promise<void> {
    if (await this.peek() !== character) throw this.#unexpected(`"${character}"`);
    this.#at++;
  }

  /** Waits until so much has arrived that was not read yet. False if there is nothing more. */
  async #fill(length: number): Promise<boolean> {
    this.#before += this.#at;
    const pieces = [this.#text.slice(this.#at)];
    let arrived = pieces[0]!.length;
    const before = arrived;
    while (arrived < length) {
      const { done, value } = await this.#pieces.next();
      if (done) break;
      pieces.push(value);
      arrived += value.length;
    }
    this.#text = pieces.join("");
    this.#at = 0;
    return arrived > before;
  }

  #unexpected(expected: string): ApiError {
    const found = this.#at < this.#text.length ? `"${this.#text.charAt(this.#at)}" is` : "it ends";
    const position = this.#before + this.#at;
    return new ApiError(
      "badRequest",
      `The request body is not JSON: ${found} where ${expected} should be, at character ${position}`,
    );
  }

  /** Whether one more value of that length may be held. */
  #checkLength(length: number): void {
    const { maxHeld, maxValueLength = DEFAULT_MAX_VALUE_LENGTH } = this.#options;
    if (length > maxValueLength) {
      throw new ApiError(
        "bodyTooLarge",
        `A field of the request body is longer than ${maxValueLength} characters`,
      );
    }
    if (this.#held + length > maxHeld) {
      throw new ApiError(
        "bodyTooLarge",
        `The fields of the request body are longer than ${maxHeld} characters without the contents of files`,
      );
    }
  }
}

/** Where the string ends that begins before `from`, at its closing quote; -1 = not here. */
function closingQuote(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escape = quote;
    while (escape > from && text[escape - 1] === "\\") escape--;
    if ((quote - escape) % 2 === 0) return quote;
  }
  return -1;
}

/** Where the last escape sequence ends that is here as a whole, and what follows it: a string may be cut there. */
function escapesEnd(text: string, from: number): number {
  const last = text.lastIndexOf("\\");
  // An escape sequence has six characters at most.
  if (last < from || text.length - last >= 6) return text.length;
  let first = last;
  while (first > from && text[first - 1] === "\\") first--;
  const isComplete = (last - first) % 2 === 1 || (last + 1 < text.length && text[last + 1] !== "u");
  return isComplete ? text.length : last;
}

function stringEnd(text: string, from: number): number {
  return closingQuote(text, from + 1) + 1 || -1;
}

function bracketEnd(text: string, from: number): number {
  let depth = 0;
  BRACKET_OR_QUOTE.lastIndex = from;
  for (let found = BRACKET_OR_QUOTE.exec(text); found !== null; found = BRACKET_OR_QUOTE.exec(text)) {
    if (found[0] === '"') {
      const end = stringEnd(text, found.index);
      if (end < 0) return -1;
      BRACKET_OR_QUOTE.lastIndex = end;
    } else {
      depth += found[0] === "{" || found[0] === "[" ? 1 : -1;
      if (depth === 0) return found.index + 1;
    }
  }
  return -1;
}

function scalarEnd(text: string, from: number): number {
  SCALAR_END.lastIndex = from;
  return SCALAR_END.exec(text)?.index ?? -1;
}
