import { z } from "zod";
import { MAX_FILES_BYTES } from "../../model.ts";
import { ApiError } from "../errors.ts";

const MAX_CODE_BYTES = 20 * 2 ** 20;
/** What counts as code. */
const CODE = /\.(?:[cm]?[jt]s|[jt]sx|wasm)$/i;

/** A git blob SHA-1, in lower case. */
export const gitSha1 = z.string()
  .regex(/^[0-9a-f]{40}$/i, "must be a git blob SHA-1: 40 hexadecimal digits")
  .transform((hash) => hash.toLowerCase());

/** How much the files of a deployment are together. */
export class AssetSizes {
  #bytes = 0;
  #codeBytes = 0;

  /**
   * Counts one more file.
   *
   * @throws {ApiError} `badRequest`: that is more than a deployment may have.
   */
  add(path: string, size: number): void {
    this.#bytes += size;
    if (CODE.test(path)) this.#codeBytes += size;
    if (this.#bytes > MAX_FILES_BYTES) throw tooMuch("files", MAX_FILES_BYTES);
    if (this.#codeBytes > MAX_CODE_BYTES) throw tooMuch("code", MAX_CODE_BYTES);
  }
}

/**
 * Checks how much the files of a deployment are.
 *
 * @param sizes Bytes by path.
 * @throws {ApiError} `badRequest`.
 */
export function checkSizes(sizes: Iterable<[path: string, size: number]>): void {
  const counted = new AssetSizes();
  for (const [path, size] of sizes) counted.add(path, size);
}

function tooMuch(what: string, maxBytes: number): ApiError {
  return new ApiError(
    "badRequest",
    `Cannot take more than ${maxBytes} bytes of ${what} in one deployment`,
  );
}
