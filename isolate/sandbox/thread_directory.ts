import { openLibc } from "./libc.ts";

/** linux/sched.h */
const CLONE_FS = 0x200;

/**
 * Current directories of their own for Workers of one process. The kernel keeps one for each group of threads, and a new
 * thread belongs to the group of the one that starts it (unshare(2), CLONE_FS). To be called while there is the permission
 * `ffi`; what it returns needs it no more.
 *
 * @returns has this thread leave its group, and enter a directory: Workers that are started from now on, and whatever they
 * start, are there, until the next call; those started before stay where they are
 */
export function separateDirectories(): (dir: string) => void {
  const { calls, succeed } = openLibc({ unshare: { parameters: ["i32"], result: "i32" } });
  return (dir) => {
    succeed("have a current directory of its own", calls.unshare(CLONE_FS));
    Deno.chdir(dir);
  };
}
