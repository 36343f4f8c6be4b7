import type { SandboxCommand } from "./command.ts";

/**
 * Starts a command with nothing of the server's: its environment, its files, its terminal. It has a session of its own,
 * so that a terminal's Ctrl-C is for the server alone, which drains.
 *
 * @throws {Deno.errors.NotFound} when there is no such program
 */
export function spawnCommand(command: SandboxCommand, cwd: string): Deno.ChildProcess {
  const { path, args, env, stdin } = command;
  const child = new Deno.Command(path, {
    args,
    clearEnv: true,
    env,
    cwd,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  // A program that ends before it has read all of it says why by its exit.
  if (stdin !== undefined) new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
  return child;
}
