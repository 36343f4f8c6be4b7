import type { PrepareMessage } from "./protocol.ts";

/** What a sandbox's process may see and do, before the layers of the operating system are put around it. */
export interface SandboxPlan {
  /** The Deno to run. */
  denoPath: string;
  /** The compiled `sandbox/host.js`. */
  hostPath: string;
  /** Where the host finds its keeper. */
  controlSocket: string;
  /** Deno's cache, this sandbox's own: the Cache API and code caches leak between tenants that share one. */
  cacheDir: string;
  paths: Omit<PrepareMessage, "type" | "net">;
  net: true | string[];
  /** A program that is started as a tree: its configuration, absolute. */
  configPath?: string;
  /** Of V8, in MiB. */
  maxHeapMb: number;
}

/**
 * Addresses that are not public, as far as Deno's `--deny-net` can name them (IPv6 ranges cannot be written). It is
 * checked against every address that a name resolves to.
 */
export const DENIED_NETWORKS: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "[::]",
  "[::1]",
];

/** A process to be started. */
export interface SandboxCommand {
  path: string;
  args: string[];
  /** The whole environment: nothing is inherited. */
  env: Record<string, string>;
}

/**
 * The process of a sandbox. The host's permissions are the upper bound of its Worker's; the environment holds nothing of
 * the server's, and no secret is ever an argument.
 */
export function sandboxCommand(plan: SandboxPlan): SandboxCommand {
  const { appDir, httpSocket, nodeSocket } = plan.paths;
  const sockets = [plan.controlSocket, httpSocket, nodeSocket];
  const bootDir = plan.hostPath.slice(0, plan.hostPath.lastIndexOf("/"));
  return {
    path: plan.denoPath,
    args: [
      "run",
      "--no-prompt",
      "--no-lock",
      "--no-remote",
      "--cached-only",
      "--node-modules-dir=manual",
      ...(plan.configPath ? [`--config=${plan.configPath}`] : ["--no-config"]),
      "--unstable-worker-options",
      "--unstable-no-legacy-abort",
      "--unstable-raw-imports",
      `--v8-flags=--max-heap-size=${plan.maxHeapMb}`,
      `--allow-read=${[appDir, bootDir, ...sockets].join(",")}`,
      `--allow-write=${sockets.join(",")}`,
      "--allow-net",
      `--deny-net=${DENIED_NETWORKS.join(",")}`,
      "--allow-env",
      "--allow-sys",
      plan.hostPath,
    ],
    // Not an argument: those a program sees. The environment is replaced by its own.
    env: {
      DENO_DIR: plan.cacheDir,
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      CONTROL_SOCKET: plan.controlSocket,
    },
  };
}

/** One more wall around a command: what it runs instead. The layers that a machine has are applied in order. */
export type Layer = (command: SandboxCommand) => SandboxCommand;

/**
 * The kernel ends the process when the server's main thread ends, however that happens (prctl(2),
 * PR_SET_PDEATHSIG). Without `setpriv` the host still ends itself when its keeper's connection does.
 */
export function parentDeathLayer(setprivPath: string): Layer {
  return ({ path, args, env }) => ({
    path: setprivPath,
    args: ["--pdeathsig", "KILL", "--no-new-privs", "--", path, ...args],
    env,
  });
}
