import { basename, join } from "node:path";
import { livingServers } from "./server_slot.ts";

/**
 * A process that outlives the server by a moment: when its standard input ends, because the server closed it or is no
 * more, it removes the directories. It has a session of its own, so that Ctrl-C does not reach it.
 */
export function startJanitor(dirs: string[]): Deno.ChildProcess {
  return new Deno.Command("/bin/sh", {
    args: [
      "-c",
      'trap "" INT TERM HUP; cat >/dev/null; rm -rf "$@" || { sleep 1; rm -rf "$@"; }',
      "sh",
      ...dirs,
    ],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
}

/**
 * Ends the sandboxes and removes the directories of servers that were killed together with their janitor. Those of
 * servers that live are left alone.
 */
export async function sweep(dataDir: string) {
  const runDir = join(dataDir, "run");
  await Deno.mkdir(runDir, { recursive: true, mode: 0o700 });
  const entries = await Array.fromAsync(Deno.readDir(runDir));
  const living = livingServers(dataDir);
  for (const { name } of entries) {
    if (living.has(name)) continue;
    const programsDir = join(runDir, name);
    const socketsDir = await Deno.readTextFile(join(programsDir, ".sockets")).catch(() => null);
    if (socketsDir !== null && basename(socketsDir) === name) {
      await endLeftProcesses((_, args) => args.some((arg) => arg.includes(`${socketsDir}/`)));
      await remove(socketsDir);
    }
    await remove(programsDir);
  }
}

/**
 * Ends what an earlier server has left running.
 *
 * @param isLeft By the command line of a process: its program and its arguments.
 */
export async function endLeftProcesses(isLeft: (program: string, args: string[]) => boolean): Promise<void> {
  if (Deno.build.os !== "linux") return;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const commandLine = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    const [program = "", ...args] = commandLine.split("\0");
    if (!isLeft(program, args)) continue;
    try {
      Deno.kill(Number(name), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function remove(path: string) {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
