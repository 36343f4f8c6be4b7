import { readProcFile } from "../proc_file.ts";
import { readProcessStat } from "../process_stat.ts";
import { delegatedDir, takeDelegatedGroup } from "./cgroup_delegation.ts";
import type { CgroupController, CgroupDialect, CgroupLimits } from "./cgroup_dialect.ts";
import { readControl } from "./cgroup_files.ts";
import { type CgroupPlace, findCgroupPlaces } from "./cgroup_places.ts";
import { endProcesses, removeGroup } from "./cgroup_tree.ts";
import { CgroupV1, type CgroupV1Dirs } from "./cgroup_v1.ts";
import { CgroupV2 } from "./cgroup_v2.ts";
import { SandboxGroup } from "./sandbox_group.ts";

export type { SandboxGroup } from "./sandbox_group.ts";
export type { CgroupUsage } from "./cgroup_dialect.ts";

const CONTROLLERS: readonly CgroupController[] = ["memory", "cpu", "pids"];
/** What may be part of a group's name. */
const NAME = /^[\w-]{1,64}$/;
/** A server's group: its pid and start, which tell whether it still lives, and its name. */
const SERVER_GROUP = /^isola-(\d+)-(\d+)-/;
/** How the kernel refuses to make groups. */
const REFUSALS = ["EACCES", "EPERM", "EROFS", "ENOENT", "EINVAL", "EBUSY"];

/** What {@linkcode openCgroups} works with. */
export interface CgroupsOptions extends CgroupLimits {
  /** Of the server, unique on this machine. */
  name: string;
}

/** The control groups of one server's sandboxes. */
export interface Cgroups extends AsyncDisposable {
  readonly version: 1 | 2;
  /** What of a sandbox can be bounded here. */
  readonly controllers: readonly CgroupController[];
  /** Makes a sandbox's group, limited but for its memory. */
  create(id: string): Promise<SandboxGroup>;
}

/**
 * Opens the control groups of a server's sandboxes, next to or below its own, and ends and removes what servers that are
 * gone left there.
 *
 * @returns for people, why there are none on this machine
 * @throws {RangeError} for a name or a limit that cannot be
 */
export async function openCgroups(options: CgroupsOptions): Promise<Cgroups | { unavailable: string }> {
  checkName(options.name);
  for (const key of ["maxProcesses", "cpuPercent"] as const) {
    if (!(Number.isInteger(options[key]) && options[key] > 0)) {
      throw new RangeError(`Cannot limit ${key} to ${options[key]}: not a positive integer`);
    }
  }
  try {
    const dialect = await findDialect();
    if ("unavailable" in dialect) return dialect;
    await sweep(dialect);
    return await ServerGroups.open(dialect, options);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { unavailable: `they cannot be made: ${error.message}` };
  }
}

class ServerGroups implements Cgroups {
  readonly version: 1 | 2;
  readonly controllers: readonly CgroupController[];
  readonly #dialect: CgroupDialect;
  readonly #path: string;
  readonly #limits: CgroupLimits;

  private constructor(dialect: CgroupDialect, path: string, limits: CgroupLimits) {
    this.version = dialect.version;
    this.controllers = dialect.controllers;
    this.#dialect = dialect;
    this.#path = path;
    this.#limits = limits;
  }

  static async open(dialect: CgroupDialect, { name, ...limits }: CgroupsOptions): Promise<ServerGroups> {
    const groups = new ServerGroups(dialect, serverPath(name), limits);
    await makeDirs(groups.#dirs());
    try {
      await dialect.prepareServer(groups.#path);
      const trial = await groups.create("trial");
      await trial.remove();
      return groups;
    } catch (error) {
      await groups[Symbol.asyncDispose]();
      throw error;
    }
  }

  async create(id: string): Promise<SandboxGroup> {
    checkName(id);
    const path = `${this.#path}/${id}`;
    const dirs = this.#dirs().map((dir) => `${dir}/${id}`);
    await makeDirs(dirs);
    try {
      await this.#dialect.prepareSandbox(path, this.#limits);
    } catch (error) {
      await removeGroup(dirs);
      throw error;
    }
    return new SandboxGroup(this.#dialect, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcesses(this.#dirs());
    await removeGroup(this.#dirs());
  }

  #dirs(): string[] {
    return this.#dialect.bases.map((base) => `${base}/${this.#path}`);
  }
}

/** Makes all or none. */
async function makeDirs(dirs: readonly string[]) {
  for (const [made, dir] of dirs.entries()) {
    try {
      await Deno.mkdir(dir);
    } catch (error) {
      await removeGroup(dirs.slice(0, made));
      throw error;
    }
  }
}

/** The version that has controllers for this process. */
async function findDialect(): Promise<CgroupDialect | { unavailable: string }> {
  const mountinfo = readProcFile("/proc/self/mountinfo");
  const cgroup = readProcFile("/proc/self/cgroup");
  if (mountinfo === undefined || cgroup === undefined) return { unavailable: "they need Linux" };
  const { v1, v2 } = findCgroupPlaces(mountinfo, cgroup);
  const controllers = v2 === undefined ? [] : controllersOf(v2);
  if (v2 !== undefined && controllers.length > 0) {
    const base = await takeDelegatedGroup(v2, controllers);
    return typeof base === "string" ? new CgroupV2(base, controllers) : base;
  }
  const dirs: CgroupV1Dirs = {};
  for (const name of [...CONTROLLERS, "cpuacct"] as const) {
    const place = v1.get(name);
    if (place !== undefined && await mayHoldGroups(place.dir)) dirs[name] = place.dir;
  }
  const dialect = new CgroupV1(dirs);
  if (dialect.controllers.length > 0) return dialect;
  return { unavailable: "the server may make none: run it as root, or with a control group delegated to it" };
}

function controllersOf(place: CgroupPlace): CgroupController[] {
  const available = readControl(`${delegatedDir(place)}/cgroup.controllers`).trim().split(" ");
  return CONTROLLERS.filter((name) => available.includes(name));
}

/** Tried out: the mode of a group's directory is not what decides. */
async function mayHoldGroups(dir: string): Promise<boolean> {
  try {
    await Deno.remove(await Deno.makeTempDir({ dir, prefix: "isola-" }));
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

function serverPath(name: string): string {
  return `isola-${Deno.pid}-${readProcessStat(Deno.pid)!.startTicks}-${name}`;
}

/** What cannot be ended or removed now is left to the next start: it is no reason to do without groups. */
async function sweep({ bases }: CgroupDialect) {
  for (const base of bases) {
    for await (const { name } of Deno.readDir(base)) {
      const [, pid, startTicks] = SERVER_GROUP.exec(name) ?? [];
      if (pid === undefined || lives(Number(pid), Number(startTicks))) continue;
      const dirs = [`${base}/${name}`];
      await endProcesses(dirs).then(() => removeGroup(dirs)).catch(() => {});
    }
  }
}

/** A process that is dead and not yet reaped still has its entry. */
function lives(pid: number, startTicks: number): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && stat.startTicks === startTicks && !/[ZX]/.test(stat.state);
}

function isRefusal(error: unknown): error is Error {
  return REFUSALS.includes((error as { code?: string }).code ?? "");
}

function checkName(name: string) {
  if (!NAME.test(name)) throw new RangeError(`Cannot name a control group "${name}"`);
}
