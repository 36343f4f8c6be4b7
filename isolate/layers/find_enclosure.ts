import { join } from "node:path";
import type { SandboxPaths } from "../command.ts";
import type { Enclosure, SandboxLevel } from "../enclosure.ts";
import type { Confinement } from "../protocol.ts";
import { spawnCommand } from "../spawn.ts";
import { bare } from "./bare.ts";
import { bubblewrap } from "./bubblewrap.ts";
import { FIRST_VERSION_WITH_TCP, landlock, landlockVersion } from "./landlock.ts";
import { SECCOMP_FILES, writeSeccompPrograms } from "./seccomp_programs.ts";
import { sharedLibraries } from "./shared_libraries.ts";

/** What {@linkcode findEnclosure} works with. */
export interface FindEnclosureOptions {
  /** The server's; all but `denoPath` are directories in which a sandbox is tried. */
  paths: SandboxPaths;
  /** Whether the server is root: then each sandbox has a user of its own. */
  asRoot: boolean;
  /** The strongest level that is looked for. */
  strongest: SandboxLevel;
}

/** What was found. */
export interface FoundEnclosure {
  enclosure: Enclosure;
  /** What keeps this machine from the highest level and what to do about it, a sentence each. */
  missing: string[];
}

/** Strongest first. */
const LEVELS: readonly SandboxLevel[] = ["full", "landlock", "process"];
const MAX_OPEN_FILES = 16_384;
const MAX_PROCESSES = 512;
const MAX_FILE_BYTES = 16 * 1024 ** 2;
const TRIAL_TIMEOUT_MS = 10_000;
const PROGRAM_DIRS = ["/usr/bin", "/bin", "/usr/local/bin"];

/** The strongest enclosure that this machine has, tried out by starting Deno in it. */
export async function findEnclosure(
  { paths, asRoot, strongest }: FindEnclosureOptions,
): Promise<FoundEnclosure> {
  const missing: string[] = [];
  const hasSeccomp = await writeSeccompPrograms(paths.bootDir);
  const limits: Omit<Confinement, "uid"> = {
    maxOpenFiles: MAX_OPEN_FILES,
    // Those of an ordinary user are counted together with all else that runs as that user.
    maxProcesses: asRoot ? MAX_PROCESSES : undefined,
    maxFileBytes: MAX_FILE_BYTES,
    settledFilterFile: hasSeccomp ? SECCOMP_FILES.settled : undefined,
  };
  if (Deno.build.os !== "linux") {
    return { enclosure: bare({ confinement: undefined }), missing: ["The layers of the sandbox need Linux"] };
  }
  if (!hasSeccomp) missing.push("This kernel has no seccomp");
  else {
    const offers = [() => offerBubblewrap(paths, asRoot, limits), () => offerLandlock(paths, limits)];
    for (const offer of offers.slice(LEVELS.indexOf(strongest))) {
      try {
        const enclosure = await offer();
        await tryOut(enclosure, paths);
        return { enclosure, missing };
      } catch (error) {
        missing.push((error as Error).message);
      }
    }
  }
  const confinement = { ...limits, filterFile: hasSeccomp ? SECCOMP_FILES.hostNetwork[1] : undefined };
  return { enclosure: bare({ setprivPath: await findProgram("setpriv"), confinement }), missing };
}

/** @throws {Error} that says what is missing, and what to do about it */
async function offerBubblewrap(
  { denoPath, bootDir }: SandboxPaths,
  asRoot: boolean,
  limits: Omit<Confinement, "uid">,
): Promise<Enclosure> {
  const bwrapPath = await findProgram("bwrap");
  if (bwrapPath === undefined) {
    throw new Error('Namespaces need bubblewrap, which "apt-get install bubblewrap" or the like installs');
  }
  return bubblewrap({
    bwrapPath,
    libraries: await sharedLibraries(denoPath),
    filter: await Deno.readFile(join(bootDir, SECCOMP_FILES.proxyOnly[0])),
    asRoot,
    confinement: { ...limits, maxProcesses: MAX_PROCESSES, filterFile: SECCOMP_FILES.proxyOnly[1] },
  });
}

/** @throws {Error} that says what is missing, and what to do about it */
async function offerLandlock(paths: SandboxPaths, limits: Omit<Confinement, "uid">): Promise<Enclosure> {
  const version = await landlockVersion(paths);
  if (version === 0) throw new Error(ADVICE.landlock);
  const network = version < FIRST_VERSION_WITH_TCP ? SECCOMP_FILES.hostNetwork : SECCOMP_FILES.proxyOnly;
  return landlock({
    version,
    libraries: await sharedLibraries(paths.denoPath),
    filterFile: network[0],
    confinement: { ...limits, filterFile: network[1] },
  });
}

/** @throws {Error} that says why Deno does not start within these walls */
async function tryOut(enclosure: Enclosure, paths: SandboxPaths) {
  const { denoPath, cacheDir } = enclosure.inside(paths);
  const version = { path: denoPath, args: ["--version"], env: { DENO_DIR: cacheDir, NO_COLOR: "1" } };
  const child = spawnCommand(enclosure.wrap(version, paths, enclosure.proxyPort()), paths.appDir);
  const deadline = setTimeout(() => child.kill("SIGKILL"), TRIAL_TIMEOUT_MS);
  const { stdout, stderr } = await child.output();
  clearTimeout(deadline);
  const decoder = new TextDecoder();
  if (decoder.decode(stdout).startsWith("deno ")) return;
  const reason = decoder.decode(stderr).trim().split("\n")[0] || "it did not start";
  throw new Error(`${ADVICE[enclosure.level]} (${reason})`);
}

const ADVICE = {
  full: "Namespaces are refused here: in a container run it with the security options of compose.yaml; " +
    "on Ubuntu set the sysctl kernel.apparmor_restrict_unprivileged_userns=0, elsewhere kernel.unprivileged_userns_clone=1",
  landlock: "Landlock is refused here: it needs Linux 5.13 with Landlock in its list of security modules",
  process: "Deno does not start",
};

async function findProgram(name: string): Promise<string | undefined> {
  for (const dir of PROGRAM_DIRS) {
    const path = join(dir, name);
    if (await Deno.stat(path).then((info) => info.isFile, () => false)) return path;
  }
}
