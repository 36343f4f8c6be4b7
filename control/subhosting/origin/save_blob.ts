import { removeIfThere } from "../../files/remove_if_there.ts";
import type { Answer } from "./answer.ts";
import { CallFailure } from "./call_failure.ts";

/**
 * Writes an answer to a new file as it arrives. Unless all of it came, there is no such file in the end.
 *
 * @throws {CallFailure} It is not as long as it should be, or broke off.
 * @throws {Deno.errors} The file is there, or cannot be written.
 */
export async function saveBlob(answer: Answer, size: number, path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  try {
    let written = 0;
    for await (const chunk of answer.chunks(size)) {
      for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
      written += chunk.length;
    }
    if (written < size) {
      throw new CallFailure("invalid", `its answer has ${written} bytes, where its file tree says ${size}`);
    }
  } catch (error) {
    await removeIfThere(path);
    throw error;
  }
}
