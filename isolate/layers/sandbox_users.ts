import { MAX_SERVERS } from "../server_slot.ts";

/** Above what distributions, systemd and container engines give out (systemd.io/UIDS-GIDS). */
const FIRST_UID = 1_900_000_000;
/** Of each server. */
const COUNT = 50_000;
/** Of all servers together, in user namespaces with few users: the last ones. */
const SMALL_COUNT = 1_000;

/**
 * Users for a server's sandboxes, one after the other: no two live ones have the same, also of servers of one data
 * directory. Only root can become another user.
 *
 * @param uidMap the server's /proc/self/uid_map (user_namespaces(7))
 * @param slot the server's index among those of its data directory
 */
export function* sandboxUsers(uidMap: string, slot: number): Generator<number, never> {
  const ranges = uidMap.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  const end = Math.max(...ranges.map(([first = 0, , count = 0]) => first + count));
  const [base, all] = end >= FIRST_UID + COUNT * MAX_SERVERS
    ? [FIRST_UID, COUNT * MAX_SERVERS]
    : [Math.max(1, end - SMALL_COUNT), Math.min(end - 1, SMALL_COUNT)];
  // Where there are fewer users than servers, they share them.
  const count = Math.max(1, Math.floor(all / MAX_SERVERS));
  const first = base + (slot * count) % all;
  for (let next = 0;; next = (next + 1) % count) yield first + next;
}
