import { AcmeError } from "./acme_error.ts";

/** More of a list than that is not read. */
const MAX_LIST = 200;

/** A JSON object of an ACME server. Its members are checked when they are read. */
export class Answer {
  readonly #members: Record<string, unknown>;

  private constructor(members: Record<string, unknown>) {
    this.#members = members;
  }

  /** @throws {AcmeError} `badAnswer` */
  static parse(text: string): Answer {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw bad("it is not JSON", cause);
    }
    if (!isRecord(value)) throw bad("it is not an object");
    return new Answer(value);
  }

  /** @throws {AcmeError} `badAnswer` if there is no such text */
  text(name: string): string {
    return this.optionalText(name) ?? fail(`it has no "${name}"`);
  }

  optionalText(name: string): string | null {
    const value = this.#members[name];
    return typeof value === "string" ? value : null;
  }

  /** False unless it is `true`. */
  flag(name: string): boolean {
    return this.#members[name] === true;
  }

  /** @throws {AcmeError} `badAnswer` if there is no list of texts */
  texts(name: string): string[] {
    const list = this.#list(name);
    return list.every((item) => typeof item === "string") ? list : fail(`"${name}" is not a list of texts`);
  }

  object(name: string): Answer | null {
    const value = this.#members[name];
    return isRecord(value) ? new Answer(value) : null;
  }

  /** Those of a list; empty if there is none. */
  objects(name: string): Answer[] {
    return this.#list(name).filter(isRecord).map((members) => new Answer(members));
  }

  #list(name: string): unknown[] {
    const value = this.#members[name] ?? [];
    return Array.isArray(value) && value.length <= MAX_LIST ? value : fail(`"${name}" is not a short list`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fail(what: string): never {
  throw bad(what);
}

function bad(what: string, cause?: unknown): AcmeError {
  return new AcmeError(
    `Cannot understand the answer of the ACME server: ${what}`,
    { type: "badAnswer", detail: what },
    { cause },
  );
}
