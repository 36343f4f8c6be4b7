import { setTimeout as delay } from "node:timers/promises";
import { type Cgroups, openCgroups, type SandboxGroup } from "../cgroup.ts";

const UNTIL_TIMEOUT_MS = 30_000;
const POLL_MS = 10;

/** Why this machine's control groups cannot be tested; `undefined` where they can. */
export async function whyNoCgroups(): Promise<string | undefined> {
  const groups = await openCgroups({ name: "probe", maxProcesses: 64, cpuPercent: 100 });
  if ("unavailable" in groups) return groups.unavailable;
  await groups[Symbol.asyncDispose]();
}

/** One real sandbox's group, and the processes that a test starts in it. */
export class GroupTrial implements AsyncDisposable {
  readonly group: SandboxGroup;
  readonly groups: Cgroups;
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(groups: Cgroups, group: SandboxGroup) {
    this.groups = groups;
    this.group = group;
  }

  static async start({ maxProcesses = 64, cpuPercent = 400 } = {}): Promise<GroupTrial> {
    const name = crypto.randomUUID();
    const groups = await openCgroups({ name, maxProcesses, cpuPercent });
    if ("unavailable" in groups) throw new Error(`Cannot open control groups: ${groups.unavailable}`);
    return new GroupTrial(groups, await groups.create("trial"));
  }

  /** Starts a shell's script in the group. */
  shell(script: string): Deno.ChildProcess {
    return this.#spawn("/bin/sh", ["-c", script]);
  }

  /** Starts a program of Deno in the group. */
  deno(code: string): Deno.ChildProcess {
    return this.#spawn(Deno.execPath(), ["eval", "--no-config", "--no-lock", code]);
  }

  #spawn(path: string, args: string[]): Deno.ChildProcess {
    const child = spawnIn(this.group, path, args);
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.group.kill();
    for (const child of this.#children) await child.status;
    await this.group.remove();
    await this.groups[Symbol.asyncDispose]();
  }
}

/** Starts a command in a group; what it prints is thrown away. */
export function spawnIn(group: Pick<SandboxGroup, "layer">, path: string, args: string[]): Deno.ChildProcess {
  const command = group.layer({ path, args, env: { PATH: "/usr/bin:/bin" } });
  return new Deno.Command(command.path, {
    args: command.args,
    clearEnv: true,
    env: command.env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** The directories that a group's commands join. */
export function dirsOf({ layer }: Pick<SandboxGroup, "layer">): string[] {
  const { args } = layer({ path: "", args: [], env: {} });
  return args.slice(3, args.indexOf("--"));
}

/** The processes in a group's directory. */
export async function processesIn(dir: string): Promise<number[]> {
  const list = await Deno.readTextFile(`${dir}/cgroup.procs`);
  return list.split("\n").filter(Boolean).map(Number);
}

/** Whether a file or directory is there. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Waits for a condition, at most 30 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + UNTIL_TIMEOUT_MS;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`Not within ${UNTIL_TIMEOUT_MS}ms: ${what}`);
    await delay(POLL_MS);
  }
}
