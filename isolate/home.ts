import { stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";
import { type Layer, parentDeathLayer } from "./command.ts";

/** The code that runs inside a sandbox, in the order in which it is imported. */
const SANDBOX_SOURCES = [
  "protocol.ts",
  "sandbox/exit.ts",
  "sandbox/background.ts",
  "sandbox/console.ts",
  "sandbox/serve.ts",
  "sandbox/node_os.ts",
  "sandbox/node_server.ts",
  "sandbox/guest.ts",
  "sandbox/host.ts",
];
const SETPRIV_PATHS = ["/usr/bin/setpriv", "/bin/setpriv"];

/** What {@linkcode openSandboxHome} works with. */
export interface SandboxHomeOptions {
  dataDir: string;
  denoPath: string;
  /**
   * Whether the layers of the operating system are used, as far as this machine has them.
   *
   * @default {true}
   */
  useLayers?: boolean;
}

/**
 * Where the sandboxes of one server live on disk. Sockets are under a short path (a unix socket's is at most 107 bytes,
 * unix(7)); programs are under the data directory, so that files can be hard links.
 *
 * **Invariant:** everything under it ends with the server, also when the server is killed.
 */
export interface SandboxHome extends AsyncDisposable {
  readonly denoPath: string;
  readonly hostPath: string;
  readonly socketsDir: string;
  readonly programsDir: string;
  readonly layers: readonly Layer[];
  /** What stands between a tenant and this machine, for people. */
  readonly level: string;
}

/**
 * Opens the home of a server's sandboxes, and ends what a killed server left of its own.
 *
 * @throws {Deno.errors.PermissionDenied} when a directory cannot be made
 */
export async function openSandboxHome(
  { dataDir, denoPath, useLayers = true }: SandboxHomeOptions,
): Promise<SandboxHome> {
  const runDir = join(dataDir, "run");
  await sweep(runDir);
  const socketsDir = await Deno.realPath(await Deno.makeTempDir({ prefix: "isola-" }));
  const programsDir = join(await Deno.realPath(dataDir), "run", basename(socketsDir));
  const comma = [socketsDir, programsDir].find((dir) => dir.includes(","));
  if (comma !== undefined) {
    await Deno.remove(socketsDir, { recursive: true });
    throw new RangeError(
      `Cannot keep sandboxes in "${comma}": a permission of Deno cannot name a path with a comma`,
    );
  }
  await Deno.mkdir(programsDir, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(join(programsDir, ".sockets"), socketsDir);
  const janitor = startJanitor([socketsDir, programsDir]);
  await writeSandboxCode(join(socketsDir, "boot"));
  const layers = useLayers ? await findLayers() : [];
  return {
    denoPath,
    hostPath: join(socketsDir, "boot", "host.js"),
    socketsDir,
    programsDir,
    layers,
    level: layers.length > 0 ? "process, ends with the server" : "process",
    async [Symbol.asyncDispose]() {
      await janitor.stdin.close().catch(() => {});
      await janitor.status;
    },
  };
}

/** The sandbox's code without its types: Deno then has nothing to compile or to keep in a sandbox's own cache. */
async function writeSandboxCode(bootDir: string) {
  await Deno.mkdir(bootDir);
  for (const source of SANDBOX_SOURCES) {
    const code = stripTypeScriptTypes(await Deno.readTextFile(new URL(source, import.meta.url)));
    const linked = code.replaceAll(/from "\.{1,2}\/([a-z_]+)\.ts"/g, 'from "./$1.js"');
    await Deno.writeTextFile(join(bootDir, basename(source, ".ts") + ".js"), linked);
  }
}

async function findLayers(): Promise<Layer[]> {
  for (const path of SETPRIV_PATHS) {
    const found = await Deno.stat(path).then((info) => info.isFile, () => false);
    if (found) return [parentDeathLayer(path)];
  }
  return [];
}

/**
 * A process that outlives the server by a moment: when its standard input ends, because the server closed it or is no
 * more, it removes the directories. It has a session of its own, so that Ctrl-C does not reach it.
 */
function startJanitor(dirs: string[]): Deno.ChildProcess {
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

/** Ends the sandboxes and removes the directories of servers that were killed together with their janitor. */
async function sweep(runDir: string) {
  await Deno.mkdir(runDir, { recursive: true, mode: 0o700 });
  for await (const { name } of Deno.readDir(runDir)) {
    const programsDir = join(runDir, name);
    const socketsDir = await Deno.readTextFile(join(programsDir, ".sockets")).catch(() => null);
    if (socketsDir !== null && basename(socketsDir) === name) {
      await endProcessesNaming(`${socketsDir}/`);
      await remove(socketsDir);
    }
    await remove(programsDir);
  }
}

async function endProcessesNaming(path: string) {
  if (Deno.build.os !== "linux") return;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const commandLine = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (!commandLine.includes(path)) continue;
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
