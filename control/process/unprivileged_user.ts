const NOBODY = 65_534;

/**
 * The user as whom a server of root's has a program run; nothing where it is not root, and has no users to give.
 *
 * @param preferred Where a user namespace has few users it is `nobody` instead (user_namespaces(7)).
 */
export async function unprivilegedUser(preferred: number): Promise<number | undefined> {
  if (Deno.uid() !== 0) return undefined;
  const ranges = (await Deno.readTextFile("/proc/self/uid_map")).trim().split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const has = (uid: number) => ranges.some(([first = 0, , count = 0]) => uid >= first && uid < first + count);
  return [preferred, NOBODY].find(has);
}
