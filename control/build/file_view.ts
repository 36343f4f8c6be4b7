/** A process to be started, with the environment of this one. */
export interface BuildCommand {
  path: string;
  args: string[];
}

/** Of the machine's files, what is there beside Deno and what it needs of the system. Absolute. */
export interface VisibleFiles {
  readable: readonly string[];
  writable: readonly string[];
}

/** Puts a command where it sees no other files. */
export type FileView = (command: BuildCommand, visible: VisibleFiles) => BuildCommand;

const BWRAP_PATHS = ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"];
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
 * A view by bubblewrap (bwrap(1)) with the machine's network, or one that changes nothing where namespaces are refused.
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
    ...["--tmpfs", "/tmp"],
    ...SYSTEM_PATHS.flatMap((path) => ["--ro-bind-try", path, path]),
    ...["--ro-bind", denoPath, denoPath],
  ];
  for (const bwrapPath of BWRAP_PATHS) {
    const view: FileView = ({ path, args }, { readable, writable }) => ({
      path: bwrapPath,
      args: [
        ...walls,
        ...readable.flatMap((file) => ["--ro-bind-try", file, file]),
        ...writable.flatMap((dir) => ["--bind", dir, dir]),
        ...["--", path, ...args],
      ],
    });
    if (await works(view({ path: denoPath, args: ["--version"] }, { readable: [], writable: [] }))) {
      return view;
    }
  }
  return (command) => command;
}

async function works({ path, args }: BuildCommand): Promise<boolean> {
  try {
    const command = new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}
