import { setTimeout as delay } from "node:timers/promises";
import { readProcFile } from "../proc_file.ts";
import { writeControlIfThere } from "./cgroup_files.ts";

/** How long the kernel may take to end processes and to let go of a group. */
const TIMEOUT_MS = 5_000;
const POLL_MS = 5;

/**
 * SIGKILL to every process of a group and of those below it, until none is left.
 *
 * @param dirs Its directories: one of v2, one for each hierarchy of v1; of a group that is gone, nothing happens.
 * @throws {Error} when one is left after 5 s
 */
export async function endProcesses(dirs: readonly string[]): Promise<void> {
  const groups = (await Promise.all(dirs.map(groupsFrom))).flat();
  // Nothing is forked meanwhile; the second is one step for all of them, from Linux 5.14 on, of v2 alone.
  for (const group of groups) await writeControlIfThere(`${group}/pids.max`, 0);
  for (const group of groups) await writeControlIfThere(`${group}/cgroup.kill`, 1);
  const deadline = Date.now() + TIMEOUT_MS;
  for (let pids = processesOf(groups); pids.length > 0; pids = processesOf(groups)) {
    if (Date.now() > deadline) {
      throw new Error(
        `Cannot end the processes of "${dirs[0]}" within ${TIMEOUT_MS}ms: ${pids.join(", ")} still live`,
      );
    }
    for (const pid of pids) kill(pid);
    await delay(POLL_MS);
  }
}

/**
 * Removes a group and those below it; one that is gone is removed. The kernel lets go of a group some time after its
 * last process has ended, so that is waited for.
 *
 * @throws {Error} when it still holds a process after 5 s
 */
export async function removeGroup(dirs: readonly string[]): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (const dir of dirs) {
    for (const group of await groupsFrom(dir)) {
      while (!await removed(group)) {
        if (Date.now() > deadline) {
          throw new Error(`Cannot remove control group "${group}" within ${TIMEOUT_MS}ms: it is in use`);
        }
        await delay(POLL_MS);
      }
    }
  }
}

/** This group and all below it, those below first. */
async function groupsFrom(dir: string): Promise<string[]> {
  const groups: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(dir)) {
      if (isDirectory) groups.push(...await groupsFrom(`${dir}/${name}`));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return [...groups, dir];
}

function processesOf(groups: readonly string[]): number[] {
  const pids = groups.flatMap((dir) => (readProcFile(`${dir}/cgroup.procs`) ?? "").split("\n").map(Number));
  // One that this process's pid namespace has no number for is listed as 0, which for kill(2) is this process's group.
  return [...new Set(pids)].filter((pid) => pid > 0);
}

function kill(pid: number) {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function removed(group: string): Promise<boolean> {
  try {
    await Deno.remove(group);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    if ((error as { code?: string }).code === "EBUSY") return false;
    throw error;
  }
}
