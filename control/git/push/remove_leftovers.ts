import { join } from "node:path";
import { Turn } from "../../scheduling/turn.ts";

/** Objects that were not taken in yet, in one folder. */
const OBJECTS = /^(?:tmp_|incoming-)/;
/** No reference is called so (git-check-ref-format(1)). */
const LOCK = /\.lock$|^gc\.pid$/;

/** Removes what a git that was killed leaves in a bare repository, and the next one would wait for. None may be at work there. */
export async function removeLeftovers(gitDir: string): Promise<void> {
  await removeMatching(join(gitDir, "objects"), OBJECTS);
  await removeMatching(gitDir, LOCK);
  const turn = new Turn();
  const folders = [join(gitDir, "refs")];
  for (const folder of folders) {
    const inner = await removeMatching(folder, LOCK);
    folders.push(...inner);
    if (turn.isOver()) await turn.next();
  }
}

/** Returns the folders that are there. No link is followed: git is not trusted. */
async function removeMatching(folder: string, pattern: RegExp): Promise<string[]> {
  const folders: string[] = [];
  if (!Deno.lstatSync(folder).isDirectory) return folders;
  for (const { name, isDirectory } of [...Deno.readDirSync(folder)]) {
    const path = join(folder, name);
    if (pattern.test(name)) await Deno.remove(path, { recursive: true });
    else if (isDirectory) folders.push(path);
  }
  return folders;
}
