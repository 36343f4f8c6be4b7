import { readFileSync } from "node:fs";

/**
 * A small file of /proc or of a control group, read at once: that takes a third of the time of an asynchronous read.
 *
 * @returns `undefined` where there is none: what it tells of is gone, or the system has no such file
 */
export function readProcFile(path: string): string | undefined {
  try {
    // By node:fs, whose errors have a code also for ESRCH.
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Whether an error of node:fs says that a process or a group is gone; one that went after the open has its own code. */
export function isGone(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "ENOENT" || code === "ESRCH" || code === "ENODEV";
}
