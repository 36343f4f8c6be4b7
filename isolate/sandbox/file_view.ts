import { Buffer } from "node:buffer";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** A path in each of its forms. */
export type NamedPath = string | URL | Uint8Array;

/** linux/limits.h, PATH_MAX */
const MAX_PATH_BYTES = 4096;

/** A file system of which all is below one folder: paths as the program says them, and as they are. */
export class FileView {
  readonly #folder: string;
  readonly #pattern: RegExp;

  constructor(folder: string) {
    this.#folder = folder;
    this.#pattern = new RegExp(`${RegExp.escape(folder)}/?`, "g");
  }

  /**
   * The absolute, normalized path of what the program means.
   *
   * @throws {TypeError} when there is no such path
   */
  locate(named: NamedPath): string {
    const text = named instanceof URL
      ? fileURLToPath(named)
      : named instanceof Uint8Array
      ? Buffer.from(named).toString()
      : named;
    if (typeof text !== "string") {
      throw new TypeError("Cannot look at a file: its path must be a string or a URL");
    }
    if (text.includes("\0")) throw new TypeError("Cannot look at a file whose path has a NUL byte");
    const absolute = path.posix.resolve("/", text);
    if (Buffer.byteLength(absolute) > MAX_PATH_BYTES) {
      throw new TypeError(`Cannot look at a file whose path has over ${MAX_PATH_BYTES} bytes`);
    }
    return absolute;
  }

  /** Where it is. */
  real(located: string): string {
    return located === "/" ? this.#folder : this.#folder + located;
  }

  /** A text in which paths are as the program knows them. */
  present(text: string): string {
    return text.replaceAll(this.#pattern, "/");
  }
}
