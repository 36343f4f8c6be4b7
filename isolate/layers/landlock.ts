import { join } from "node:path";
import type { SandboxCommand, SandboxPaths } from "../command.ts";
import type { Enclosure } from "../enclosure.ts";
import type { Confinement } from "../protocol.ts";

/** What {@linkcode landlock} works with. */
export interface LandlockOptions {
  /** Of the kernel's Landlock; at least 1. */
  version: number;
  /** The shared libraries that Deno needs, and the loader. */
  libraries: readonly string[];
  /** Seccomp program, beside the launcher, that is installed before Deno is started. */
  filterFile: string;
  confinement: Omit<Confinement, "uid">;
}

const LAUNCHER = "landlock_launch.js";
/** Before it, Landlock has no rules for TCP (landlock(7)). */
export const FIRST_VERSION_WITH_TCP = 4;

/**
 * Level `landlock`, for machines that refuse namespaces: a file view by rules, and of the machine's network nothing but the
 * port at which the way to the egress proxy begins.
 *
 * What Landlock has no rule for: unix sockets that have a path, of which a process can connect to those that its user may;
 * and listening on a TCP socket that was not bound, on a port that the kernel chooses.
 */
export function landlock({ version, libraries, filterFile, confinement }: LandlockOptions): Enclosure {
  return {
    level: "landlock",
    inside: (paths) => paths,
    proxyPort: () => version < FIRST_VERSION_WITH_TCP ? undefined : freePort(),
    ancestors: 0,
    confinement,
    wrap: (command: SandboxCommand, paths: SandboxPaths, proxyPort) => ({
      path: paths.denoPath,
      args: [
        ...launcher(paths),
        ...[paths.bootDir, paths.appDir].map((path) => `--read=${path}`),
        ...[paths.denoPath, ...libraries].map((path) => `--execute=${path}`),
        `--sockets=${paths.socketsDir}`,
        ...(proxyPort === undefined ? [] : [`--tcp-port=${proxyPort}`]),
        `--filter=${join(paths.bootDir, filterFile)}`,
        ...["--", command.path, ...command.args],
      ],
      env: command.env,
    }),
  };
}

/**
 * Which version of Landlock the kernel offers (landlock_create_ruleset(2)); 0 = none. Asked by a process of its own, because
 * the server itself calls no foreign functions.
 *
 * @throws {Error} when the launcher does not run
 */
export async function landlockVersion(paths: SandboxPaths): Promise<number> {
  const { success, stdout, stderr } = await new Deno.Command(paths.denoPath, {
    args: [...launcher(paths), "--probe"],
    clearEnv: true,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", DENO_DIR: paths.cacheDir },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot ask for Landlock: ${decoder.decode(stderr).trim()}`);
  return (JSON.parse(decoder.decode(stdout)) as { version: number }).version;
}

function launcher({ bootDir }: SandboxPaths): string[] {
  const flags = ["--no-prompt", "--no-config", "--no-lock", "--no-remote", "--cached-only", "--no-npm"];
  return ["run", ...flags, "--allow-ffi", "--allow-read", join(bootDir, LAUNCHER)];
}

/** A port of the loopback interface that nobody listens on. If somebody does so first, the sandbox fails to start. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
