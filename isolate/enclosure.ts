import type { SandboxCommand, SandboxPaths } from "./command.ts";
import type { Confinement } from "./protocol.ts";

/**
 * How much stands between a tenant and the machine, strongest first:
 * - `full`: namespaces (no network, own processes, a file view of Deno and the deployment), seccomp, rlimits, own user;
 * - `landlock`: where namespaces are refused: Landlock, seccomp, rlimits;
 * - `process`: Deno's permissions, and rlimits and seccomp where there are any.
 */
export type SandboxLevel = "full" | "landlock" | "process";

/** The walls of one level, as this machine has them. */
export interface Enclosure {
  readonly level: SandboxLevel;
  /** The paths of a sandbox as it sees them itself. */
  inside(paths: SandboxPaths): SandboxPaths;
  /**
   * Where inside the sandbox the way to the egress proxy begins; nothing where a process has the machine's own network,
   * within what Deno's permissions leave of it.
   */
  proxyPort(): number | undefined;
  /** What runs the command within the walls. `paths` are the server's. */
  wrap(command: SandboxCommand, paths: SandboxPaths, proxyPort: number | undefined): SandboxCommand;
  /** Processes that stay between the one that is started and the one that carries the tenant. */
  readonly ancestors: number;
  /** What the process does to itself before it carries a tenant. */
  readonly confinement: Omit<Confinement, "uid"> | undefined;
}
