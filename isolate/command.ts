/** The files of one sandbox, as the server sees them or as the sandbox itself does. All absolute. */
export interface SandboxPaths {
  /** The Deno to run. */
  denoPath: string;
  /** The compiled code of `sandbox/`. */
  bootDir: string;
  /** The deployment's files. */
  appDir: string;
  socketsDir: string;
  /** Deno's cache: `NO_CACHE`, or this sandbox's own, because what is in it leaks to whoever shares it. Never writable. */
  cacheDir: string;
}

/** Where many sandboxes have their directories. All absolute. */
export interface SandboxGrounds extends Pick<SandboxPaths, "denoPath" | "bootDir" | "socketsDir"> {
  programsDir: string;
}

/** The paths of one of them. */
export function sandboxPaths(
  { denoPath, bootDir, programsDir, socketsDir }: SandboxGrounds,
  id: string,
): SandboxPaths {
  return {
    denoPath,
    bootDir,
    appDir: `${programsDir}/${id}/app`,
    socketsDir: `${socketsDir}/${id}`,
    cacheDir: NO_CACHE,
  };
}

/** Nothing can be kept there, so nothing fills the disk. */
export const NO_CACHE = "/dev/null/cache";

/** What stands in a sandbox's `socketsDir`. */
export const SOCKETS = {
  /** Where the host finds its keeper. */
  control: "control.sock",
  /** Served by `Deno.serve`. */
  http: "http.sock",
  /** Served by a `node:http` server. */
  node: "node.sock",
  /** The egress proxy. */
  egress: "egress.sock",
} as const;

/** What a sandbox's process may see and do, before anything of the operating system is put around it. */
export interface SandboxPlan {
  /** As the sandbox sees them. */
  paths: SandboxPaths;
  /** Where inside the sandbox the way out is; not set where the process has the machine's own network. */
  proxyPort?: number;
  /** A program that is started as a tree: its configuration, relative to `appDir`. */
  config?: string;
  /** Of V8, in MiB. */
  maxHeapMb: number;
  /** For many programs: `appDir` and `socketsDir` then hold a directory for each of them. */
  shared?: boolean;
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
  /** What it reads from its standard input, which then ends; nothing if not set. */
  stdin?: Uint8Array<ArrayBuffer>;
}

/** One more wall around a command: what is run instead. */
export type Layer = (command: SandboxCommand) => SandboxCommand;

/**
 * The process of a sandbox. The host's permissions are the upper bound of its Worker's, but for `ffi`, which the host
 * gives up before there is a Worker. The environment holds nothing of the server's, and no secret is ever an argument.
 */
export function sandboxCommand({ paths, proxyPort, config, maxHeapMb, shared }: SandboxPlan): SandboxCommand {
  const { appDir, bootDir, cacheDir, denoPath, socketsDir } = paths;
  const sockets = shared ? [socketsDir] : Object.values(SOCKETS).map((name) => `${socketsDir}/${name}`);
  return {
    path: denoPath,
    args: [
      "run",
      "--no-prompt",
      "--no-lock",
      "--no-remote",
      "--cached-only",
      // Deno would compile each program for a cache that keeps nothing.
      ...(cacheDir === NO_CACHE ? ["--no-code-cache"] : []),
      "--node-modules-dir=manual",
      ...(config === undefined ? ["--no-config"] : [`--config=${appDir}/${config}`]),
      "--unstable-worker-options",
      "--unstable-no-legacy-abort",
      "--unstable-raw-imports",
      v8Flags(maxHeapMb),
      `--allow-read=${[appDir, bootDir, ...sockets].join(",")}`,
      `--allow-write=${sockets.join(",")}`,
      "--allow-net",
      ...(proxyPort === undefined ? [`--deny-net=${DENIED_NETWORKS.join(",")}`] : []),
      "--allow-env",
      "--allow-sys",
      "--allow-ffi",
      `${bootDir}/${shared ? "shared_host" : "host"}.js`,
    ],
    // Not arguments: those a program sees. The environment is replaced by its own.
    env: {
      DENO_DIR: cacheDir,
      // An attempt to keep a module that it has compiled, where nothing can be kept, would cost it 150 ms.
      DENO_EMIT_CACHE_MODE: "disable",
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      // An allocator's arena for each thread would keep 1 MB that others could use (mallopt(3), M_ARENA_MAX), and grow by
      // single pages, with a system call for each.
      MALLOC_ARENA_MAX: "1",
      // Larger ones that each thread keeps for itself are 0.2 MB (GNU C library manual, "Memory Allocation Tunables").
      GLIBC_TUNABLES: "glibc.malloc.tcache_max=128",
      // Has the runtime collect garbage and return memory at each REST_SIGNAL (cli's environment variables).
      DENO_USR2_MEMORY_TRIM: "1",
      CONTROL_SOCKET: `${socketsDir}/${SOCKETS.control}`,
    },
  };
}

/**
 * For V8. What one process compiled is of use to another only if these are the same.
 *
 * Compaction returns the 0.3 MB of half-empty pages that a collection leaves. Full collections are rare; one of 100 MB takes
 * up to a half longer.
 */
export function v8Flags(maxHeapMb: number): string {
  return `--v8-flags=--max-heap-size=${maxHeapMb},--compact-on-every-full-gc`;
}

/**
 * The kernel ends the process when the server's main thread ends, however that happens (prctl(2),
 * PR_SET_PDEATHSIG). Without `setpriv` the host still ends itself when its keeper's connection does.
 */
export function parentDeathLayer(setprivPath: string): Layer {
  return ({ path, args, ...rest }) => ({
    ...rest,
    path: setprivPath,
    args: ["--pdeathsig", "KILL", "--no-new-privs", "--", path, ...args],
  });
}
