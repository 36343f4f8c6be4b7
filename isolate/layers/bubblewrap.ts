import { NO_CACHE, type SandboxCommand, type SandboxPaths } from "../command.ts";
import type { Enclosure } from "../enclosure.ts";
import type { Confinement } from "../protocol.ts";

/** What {@linkcode bubblewrap} works with. */
export interface BubblewrapOptions {
  bwrapPath: string;
  /** The shared libraries that Deno needs, and the loader. */
  libraries: readonly string[];
  /** The seccomp program that bubblewrap installs before it starts Deno. */
  filter: Uint8Array<ArrayBuffer>;
  /** Whether the server is root: then Deno starts as root with no power but to become another user. */
  asRoot: boolean;
  confinement: Omit<Confinement, "uid">;
}

const INSIDE: SandboxPaths = {
  denoPath: "/bin/deno",
  bootDir: "/boot",
  appDir: "/app",
  socketsDir: "/run",
  cacheDir: "/cache",
};
/** On its own loopback interface there is nobody else. */
const PROXY_PORT = 1080;
/** What Deno reads of /proc, the program's own file apart. */
const PROC_FILES = ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/osrelease"];

/**
 * Level `full`: namespaces by bubblewrap (bwrap(1)).
 *
 * An ordinary user gets them from a user namespace of his own, in which he is nobody else than himself. Root needs none:
 * bubblewrap keeps it the two capabilities with which the sandbox's host becomes a user of its own, and loses them by that.
 *
 * **Invariant:** the first process of the process namespace is bubblewrap's, so that it ends, and the kernel all the rest with
 * it, when the server does. A parent's death cannot signal a process that has become another user (kill(2)).
 */
export function bubblewrap(
  { bwrapPath, libraries, filter, asRoot, confinement }: BubblewrapOptions,
): Enclosure {
  const walls = [
    ...(asRoot
      ? ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
      : ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"]),
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    ...["--hostname", "localhost"],
    "--die-with-parent",
    "--new-session",
    ...parentDirs([INSIDE.denoPath, ...libraries]).flatMap((dir) => ["--perms", "0755", "--dir", dir]),
    ...libraries.flatMap((path) => ["--ro-bind", path, path]),
    ...(asRoot ? ["--proc", "/proc"] : SOME_PROC),
    ...["--dev", "/dev"],
    ...["--chdir", INSIDE.appDir],
    // The program comes on the standard input, so the sandbox has none.
    ...["--seccomp", "0"],
  ];
  return {
    level: "full",
    inside: ({ cacheDir }) => ({ ...INSIDE, cacheDir: cacheDir === NO_CACHE ? NO_CACHE : INSIDE.cacheDir }),
    proxyPort: () => PROXY_PORT,
    ancestors: 2,
    confinement,
    wrap: (command: SandboxCommand, outside: SandboxPaths) => ({
      path: bwrapPath,
      args: [
        ...walls,
        ...["--ro-bind", outside.denoPath, INSIDE.denoPath],
        ...["--ro-bind", outside.bootDir, INSIDE.bootDir],
        ...["--ro-bind", outside.appDir, INSIDE.appDir],
        ...(outside.cacheDir === NO_CACHE ? [] : ["--ro-bind", outside.cacheDir, INSIDE.cacheDir]),
        ...["--bind", outside.socketsDir, INSIDE.socketsDir],
        // What bubblewrap made to hold the rest is memory, too.
        ...["--remount-ro", "/dev", "--remount-ro", "/"],
        ...["--", command.path, ...command.args],
      ],
      env: command.env,
      stdin: filter,
    }),
  };
}

/** Bubblewrap's own process has the sandbox's user if that is an ordinary one, and could be written to by /proc/1/mem. */
const SOME_PROC = [
  ...["--dir", "/proc", "--dir", "/proc/self", "--symlink", INSIDE.denoPath, "/proc/self/exe"],
  ...PROC_FILES.flatMap((path) => ["--ro-bind", path, path]),
];

/** What holds these files, outermost first: bubblewrap would make it for root alone. */
function parentDirs(paths: string[]): string[] {
  const dirs = new Set<string>();
  for (const path of paths) {
    for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
      dirs.add(path.slice(0, end));
    }
  }
  return [...dirs];
}
