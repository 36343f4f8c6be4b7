import { workingBwrap } from "./working_bwrap.ts";

/** A process to be started, with the environment of this one. */
export interface BuildCommand {
  path: string;
  args: string[];
}

/** What a command finds around it. */
export interface Surroundings {
  /** Of the machine's files, what is there beside Deno and what it needs of the system. Absolute. */
  readable: readonly string[];
  writable: readonly string[];
  /** Set for a program of the deployment's: it has no network, not even that of this machine, and no memory for a disk. */
  untrusted?: {
    /** A directory that it sees as `/tmp`; absolute. */
    temporaryDir: string;
    /** User and group that it runs as; nothing where the server is not root. */
    user: number | undefined;
    /** Whether a seccomp program comes on its standard input, which it then has no more. */
    hasFilter: boolean;
  };
}

/** Puts a command where it sees no other files. */
export type FileView = (command: BuildCommand, surroundings: Surroundings) => BuildCommand;

/** The one that changes nothing. */
export const NO_VIEW: FileView = (command) => command;

const SETPRIV_PATH = "/usr/bin/setpriv";
/** Libraries, certificates and how names are resolved, as the distributions have them. */
const SYSTEM_PATHS = [
  "/lib",
  "/lib64",
  "/usr/lib",
  "/usr/lib64",
  "/nix/store",
  "/etc/ssl",
  "/etc/pki",
  "/etc/ca-certificates",
  "/usr/share/ca-certificates",
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/nsswitch.conf",
];

/**
 * A view by bubblewrap (bwrap(1)), or {@linkcode NO_VIEW} where namespaces are refused.
 *
 * Deno reads whatever a program imports before anybody can say where that is. Nothing of it reaches the deployment or its
 * log without a view either; with one there is nothing to be read.
 */
export async function openFileView(denoPath: string): Promise<FileView> {
  const walls = [
    // Root needs no namespace to mount in, and is left without its power over others' files.
    ...(Deno.uid() === 0 ? [] : ["--unshare-user"]),
    ...["--cap-drop", "ALL"],
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-uts",
    "--die-with-parent",
    ...["--proc", "/proc"],
    ...["--dev", "/dev"],
  ];
  const system = [
    ...SYSTEM_PATHS.flatMap((path) => ["--ro-bind-try", path, path]),
    "--ro-bind",
    denoPath,
    denoPath,
  ];
  const argsOf = ({ path, args }: BuildCommand, { readable, writable, untrusted }: Surroundings) => [
    ...walls,
    ...(untrusted === undefined
      ? ["--tmpfs", "/tmp"]
      // What it has started ends with it: the kernel waits for that before it says that the first process has ended
      // (pid_namespaces(7)).
      : ["--as-pid-1", "--unshare-net", "--bind", untrusted.temporaryDir, "/tmp"]),
    ...parentDirs([...SYSTEM_PATHS, denoPath, SETPRIV_PATH, ...readable, ...writable])
      .flatMap((dir) => ["--perms", "0755", "--dir", dir]),
    ...system,
    ...readable.flatMap((file) => ["--ro-bind-try", file, file]),
    ...writable.flatMap((dir) => ["--bind", dir, dir]),
    ...(untrusted?.user === undefined ? [] : TO_BECOME_ANOTHER),
    // What bubblewrap made to hold the rest is memory.
    ...(untrusted === undefined ? [] : ["--remount-ro", "/dev", "--remount-ro", "/"]),
    ...(untrusted?.hasFilter ? ["--seccomp", "0"] : []),
    ...["--", ...asUser(untrusted?.user), path, ...args],
  ];
  const trial = argsOf({ path: denoPath, args: ["--version"] }, { readable: [], writable: [] });
  const bwrapPath = await workingBwrap(trial);
  if (bwrapPath === undefined) return NO_VIEW;
  return (command, surroundings) => ({ path: bwrapPath, args: argsOf(command, surroundings) });
}

const TO_BECOME_ANOTHER = [
  ...["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"],
  ...["--ro-bind", SETPRIV_PATH, SETPRIV_PATH],
];

/** What holds these files, outermost first: bubblewrap would make it for root alone. */
function parentDirs(paths: readonly string[]): string[] {
  const dirs = new Set<string>();
  for (const path of paths) {
    for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
      dirs.add(path.slice(0, end));
    }
  }
  return [...dirs];
}

/** Whoever is not root any more has no capabilities either (capabilities(7)). */
function asUser(user: number | undefined): string[] {
  if (user === undefined) return [];
  return [SETPRIV_PATH, `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--no-new-privs", "--"];
}
