import { basename, dirname } from "node:path";
import { readProcessStat } from "../process_stat.ts";
import { readControl, writeControl } from "./cgroup_files.ts";
import type { CgroupPlace } from "./cgroup_places.ts";

/** Where the server itself is, below the group that was delegated to it. */
const SERVER_LEAF = "isola-server";
/** A process may be started in the group between moving those there and handing controllers on. */
const HAND_ON_ATTEMPTS = 3;
const SYSTEMCTL_TIMEOUT_MS = 5_000;
const ADVICE =
  'start it by "systemd-run --user --scope -p Delegate=yes COMMAND", or set Delegate=yes in its unit';

/**
 * Makes a group of v2 one that hands controllers on to groups below it. Such a group, unless it is the root, may hold no
 * process ("no internal processes"), so the server and its family move to a leaf of their own.
 *
 * @param own The server's own group.
 * @returns The directory of the group, or for people why it cannot be had.
 */
export async function takeDelegatedGroup(
  own: CgroupPlace,
  controllers: readonly string[],
): Promise<string | { unavailable: string }> {
  if (!await isDelegated(own.path)) {
    return { unavailable: `control group "${own.path}" is systemd's, not this server's: ${ADVICE}` };
  }
  const base = delegatedDir(own);
  for (let attempt = 1;; attempt++) {
    // The root alone is of no type.
    if (await exists(`${base}/cgroup.type`)) {
      const stranger = readProcesses(base).find((pid) => !isFamily(pid));
      if (stranger !== undefined) {
        const name = readProcessStat(stranger)?.name;
        return {
          unavailable: `control group "${own.path}" also holds process ${stranger} ("${name}"): ${ADVICE}`,
        };
      }
      await moveToLeaf(base);
    }
    try {
      await writeControl(`${base}/cgroup.subtree_control`, controllers.map((name) => `+${name}`).join(" "));
      return base;
    } catch (error) {
      if ((error as { code?: string }).code !== "EBUSY" || attempt === HAND_ON_ATTEMPTS) throw error;
    }
  }
}

/** A server that was started by another, or opens its groups again, is in the leaf already. */
export function delegatedDir({ dir }: CgroupPlace): string {
  return basename(dir) === SERVER_LEAF ? dirname(dir) : dir;
}

/** The unit of systemd that a group belongs to, and whether it is of a user's own systemd (systemd.special(7)). */
export function systemdUnit(path: string): { name: string; ofUser: boolean } | undefined {
  const units = path.split("/").filter((part) => /\.(service|scope)$/.test(part));
  const name = units.at(-1);
  if (name === undefined) return undefined;
  return { name, ofUser: units.length > 1 && /^user@\d+\.service$/.test(units[0]!) };
}

/** Without systemd, as in a container, a group is its processes' as far as they may write it. */
async function isDelegated(path: string): Promise<boolean> {
  if (!await exists("/run/systemd/system")) return true; // sd_booted(3)
  const unit = systemdUnit(path);
  if (unit === undefined) return false;
  try {
    const { stdout } = await new Deno.Command("systemctl", {
      args: [...(unit.ofUser ? ["--user"] : []), "show", "--property=Delegate", "--value", "--", unit.name],
      stdin: "null",
      stderr: "null",
      signal: AbortSignal.timeout(SYSTEMCTL_TIMEOUT_MS),
    }).output();
    return new TextDecoder().decode(stdout).trim() === "yes";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function moveToLeaf(base: string) {
  const leaf = `${base}/${SERVER_LEAF}`;
  await Deno.mkdir(leaf, { recursive: true });
  for (const pid of readProcesses(base)) {
    try {
      await writeControl(`${leaf}/cgroup.procs`, pid);
    } catch (error) {
      if (readProcessStat(pid) !== undefined) throw error;
    }
  }
}

function readProcesses(dir: string): number[] {
  return readControl(`${dir}/cgroup.procs`).trimEnd().split("\n").filter(Boolean).map(Number);
}

/** The server, what it started, and what started it and waits for it, such as `deno task`; one that is gone counts. */
function isFamily(pid: number): boolean {
  if (readProcessStat(pid) === undefined) return pid > 0;
  return lineage(pid).includes(Deno.pid) || lineage(Deno.pid).includes(pid);
}

/** A process, its parent, and so on. */
function lineage(pid: number): number[] {
  const pids: number[] = [];
  for (let at = pid; at > 0; at = readProcessStat(at)?.parentPid ?? 0) pids.push(at);
  return pids;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
