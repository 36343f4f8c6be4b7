/** Above what distributions, systemd and container engines give out (systemd.io/UIDS-GIDS). */
const FIRST_UID = 1_900_000_000;
/** In user namespaces with few users, the last ones. */
const COUNT = 50_000;
const SMALL_COUNT = 1_000;

/**
 * Users for sandboxes, one after the other: no two live ones have the same. Only root can become another user.
 *
 * @param uidMap the server's /proc/self/uid_map (user_namespaces(7))
 */
export function* sandboxUsers(uidMap: string): Generator<number, never> {
  const ranges = uidMap.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  const end = Math.max(...ranges.map(([first = 0, , count = 0]) => first + count));
  const [first, count] = end >= FIRST_UID + COUNT
    ? [FIRST_UID, COUNT]
    : [Math.max(1, end - SMALL_COUNT), Math.min(end - 1, SMALL_COUNT)];
  for (let next = 0;; next = (next + 1) % count) yield first + next;
}
