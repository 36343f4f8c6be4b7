import { SandboxError } from "../ending.ts";
import type { Enclosure, SandboxLevel } from "../enclosure.ts";

/** What the kernel must say of a process that is to carry a tenant. */
export interface Expectation {
  level: SandboxLevel;
  /** Seccomp programs that it must be under; 0 = it has not confined itself. */
  filters: number;
  /** The user that it must have become. */
  uid?: number;
}

/** A process that is to carry a tenant. */
export interface VerifiedProcess {
  pid: number;
  enclosure: Enclosure;
  /** The user that it becomes, if it does. */
  uid: number | undefined;
  /** Many programs are in it. */
  shared: boolean;
}

/** @throws {SandboxError} when the kernel says that a wall is missing */
export async function verifyWalls({ pid, enclosure, uid, shared }: VerifiedProcess): Promise<void> {
  if (Deno.build.os !== "linux") return;
  const { level, confinement } = enclosure;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const filters = filterCount(enclosure, shared);
  const missing = missingWalls(status, { level, filters, uid: confinement && uid });
  if (missing.length === 0) return;
  throw new SandboxError("boot_failure", `Cannot use a sandbox without ${missing.join(", ")}`);
}

/** One from outside where there is something around the process, one of its own, and one when it has settled. */
function filterCount({ level, confinement }: Enclosure, shared: boolean): number {
  if (confinement?.filterFile === undefined) return 0;
  return (level === "process" ? 0 : 1) + 1 + (shared ? 0 : 1);
}

/**
 * What a sandbox's process lacks of its walls, by what the kernel says of it (proc(5)); nothing, if all is there. It is asked
 * before a sandbox is given a program, so that a wall which is silently missing is never relied on.
 */
export function missingWalls(status: string, { level, filters, uid }: Expectation): string[] {
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, "m").exec(status)?.[1];
  const missing: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) missing.push(what);
  };
  if (level === "full") {
    expect(/^\d+\t2$/.test(field("NSpid") ?? ""), "a process namespace in which it comes after the first");
  }
  if (filters > 0) {
    expect(field("NoNewPrivs") === "1", "no_new_privs");
    expect(field("Seccomp") === "2", "seccomp");
    expect(Number(field("Seccomp_filters")) >= filters, `all ${filters} of its seccomp programs`);
  }
  if (uid !== undefined) {
    const own = [uid, uid, uid, uid].join("\t");
    expect(field("Uid") === own && field("Gid") === own, `a user of its own (${uid})`);
    expect(field("Groups") === "", "no supplementary groups");
  }
  if (level === "full" || uid !== undefined) {
    for (const set of ["CapPrm", "CapEff", "CapAmb"]) {
      expect(/^0+$/.test(field(set) ?? ""), `an empty ${set}`);
    }
  }
  return missing;
}
