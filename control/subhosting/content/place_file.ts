import { tryLink } from "../../build/materialize.ts";

/** Puts a kept file elsewhere: by a hard link, or as a copy where the file system refuses that. */
export async function placeFile(from: string, to: string): Promise<void> {
  if (!tryLink(from, to)) await Deno.copyFile(from, to);
}
