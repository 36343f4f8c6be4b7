import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { writeBootCode } from "./boot_code.ts";
import { NO_CACHE } from "./command.ts";
import { type Egress, startEgress } from "./egress/egress.ts";
import type { Enclosure, SandboxLevel } from "./enclosure.ts";
import { startJanitor, sweep } from "./janitor.ts";
import { bare } from "./layers/bare.ts";
import { type Cgroups, openCgroups } from "./layers/cgroup.ts";
import { findEnclosure, type FoundEnclosure } from "./layers/find_enclosure.ts";
import { sandboxUsers } from "./layers/sandbox_users.ts";
import { type ServerSlot, takeServerSlot } from "./server_slot.ts";
import type { SandboxTraffic } from "./program.ts";
import { writeCacheTemplate } from "./deno_cache/program_cache.ts";
import { SharedIsolation } from "./shared_isolation.ts";

/**
 * Of a sandbox's processes, all in all. More than one core for a while keeps its garbage collector and cryptography going
 * beside the event loop.
 */
const GROUP_LIMITS = { maxProcesses: 512, cpuPercent: 150 };
/** Of a process that many programs share. */
const SHARED_GROUP_LIMITS = {
  maxProcesses: 8_192,
  cpuPercent: Math.max(GROUP_LIMITS.cpuPercent, 100 * availableParallelism()),
};
const TRAFFIC_INTERVAL_MS = 1_000;
/** What shared isolation gives up. */
const SHARED = "all deployments in one process, not protected from each other";

/** What {@linkcode openSandboxHome} works with. */
export interface SandboxHomeOptions {
  dataDir: string;
  denoPath: string;
  /**
   * Which layers of the operating system are used: those that this machine has; the same, but no start with less than
   * level `full`; or none.
   *
   * @default {"auto"}
   */
  layers?: "auto" | "required" | "off";
  /**
   * The strongest level that is looked for.
   *
   * @default {"full"}
   */
  strongest?: SandboxLevel;
  /** Targets that sandboxes may reach though they are private, as "host:port" or "host". */
  allowPrivate?: readonly string[];
  /**
   * Programs whose heap is at most so large share one process; not set where each has its own.
   */
  sharedHeapMb?: number;
  /**
   * Programs may come with a `ModuleIndex`: what that needs is loaded while a sandbox is blank, which takes 0.5 MB of each and
   * spares such a program 10 ms. Without, none may.
   *
   * @default {false}
   */
  moduleIndexes?: boolean;
  /** Called when sandboxes have lost what they need from the server; new ones do not start from then on. */
  failed?: (error: Error) => void;
}

/** The layers in use, for people and for monitoring. */
export interface SandboxLayers {
  level: SandboxLevel;
  /** One line: all that stands between a tenant and this machine. */
  detail: string;
  /** Version of control groups in use; 0 = none. */
  cgroup: 0 | 1 | 2;
  /** What this machine lacks and how to get it, a sentence each. */
  missing: readonly string[];
}

/**
 * Where the sandboxes of one server live on disk. Sockets are under a short path (a unix socket's is at most 107 bytes,
 * unix(7)); programs are under the data directory, so that files can be hard links.
 *
 * **Invariant:** everything under it ends with the server, also when the server is killed. Another server of the same data
 * directory may live beside it for a while.
 */
export interface SandboxHome extends AsyncDisposable {
  readonly denoPath: string;
  /** The compiled code of `sandbox/`. */
  readonly bootDir: string;
  /** An empty cache of Deno's. */
  readonly cacheTemplateDir: string;
  readonly socketsDir: string;
  readonly programsDir: string;
  readonly enclosure: Enclosure;
  readonly layers: SandboxLayers;
  /** Not set where sandboxes have the machine's own network. */
  readonly egress: Egress | undefined;
  /** What sandboxes have sent and received through it, by their ids, as of the last second. */
  readonly traffic: ReadonlyMap<string, SandboxTraffic>;
  readonly cgroups: Cgroups | undefined;
  /** Not set where each sandbox has a process of its own. */
  readonly shared: SharedIsolation | undefined;
  /** What a `ModuleIndex` needs is loaded while a sandbox is blank. */
  readonly moduleIndexes: boolean;
  /** A user for one more sandbox; nothing where the server is not root. */
  nextUid(): number | undefined;
}

/**
 * Opens the home of a server's sandboxes, and ends what a killed server left of its own.
 *
 * @throws {Deno.errors.PermissionDenied} when a directory cannot be made
 * @throws {Error} when layers are required that this machine does not have; it says which
 */
export async function openSandboxHome(
  options: SandboxHomeOptions,
): Promise<SandboxHome> {
  const { dataDir, denoPath, layers: wanted = "auto", strongest = "full", allowPrivate = [] } = options;
  const { sharedHeapMb, moduleIndexes = false, failed } = options;
  await using opening = new AsyncDisposableStack();
  const { socketsDir, programsDir, slot } = await makeDirectories(dataDir);
  opening.use(slot);
  const janitor = startJanitor([socketsDir, programsDir]);
  opening.defer(async () => {
    await janitor.stdin.close().catch(() => {});
    await janitor.status;
  });
  const bootDir = join(socketsDir, "boot");
  await writeBootCode(bootDir);
  const cacheTemplateDir = join(socketsDir, "cache");
  await Deno.mkdir(cacheTemplateDir, { mode: 0o700 });
  writeCacheTemplate(cacheTemplateDir);
  const uids = wanted !== "off" && Deno.build.os === "linux" && Deno.uid() === 0
    ? sandboxUsers(await Deno.readTextFile("/proc/self/uid_map"), slot.index)
    : undefined;
  const { enclosure, missing } = wanted === "off"
    ? { enclosure: bare({ confinement: undefined }), missing: ["They are switched off: ISOLA_SANDBOX=off"] }
    : await tryEnclosures({
      bootDir,
      socketsDir,
      programsDir,
      denoPath,
      asRoot: uids !== undefined,
      strongest,
    });
  if (wanted === "required" && enclosure.level !== "full") {
    throw new Error(`Cannot sandbox untrusted code as required on this machine. ${missing.join(". ")}`);
  }
  const name = basename(socketsDir);
  const groups = wanted === "off"
    ? { unavailable: "" }
    : await openCgroups({ name, ...(sharedHeapMb === undefined ? GROUP_LIMITS : SHARED_GROUP_LIMITS) });
  const cgroups = "unavailable" in groups ? undefined : opening.use(groups);
  if ("unavailable" in groups && groups.unavailable) missing.push(`No control groups: ${groups.unavailable}`);
  const proxied = enclosure.proxyPort() !== undefined;
  const egress = proxied ? opening.use(await startEgress({ allowPrivate }, failed)) : undefined;
  const traffic = new Map<string, SandboxTraffic>();
  if (egress !== undefined) opening.use(followTraffic(egress, traffic));
  const grounds = {
    denoPath,
    bootDir,
    cacheTemplateDir,
    socketsDir,
    programsDir: uids === undefined || enclosure.level === "full"
      ? programsDir
      : await reachableDir(programsDir, socketsDir),
  };
  const nextUid = () => uids?.next().value;
  const shared = sharedHeapMb === undefined ? undefined : opening.use(
    await SharedIsolation.open({ enclosure, grounds, cgroups, uid: nextUid(), maxHeapMb: sharedHeapMb }),
  );
  const layers = describeLayers(enclosure, { uids: uids !== undefined, proxied, cgroups, missing });
  if (shared !== undefined) layers.detail = `shared: ${SHARED}. Around that: ${layers.detail}`;
  const owned = opening.move();
  return {
    ...grounds,
    enclosure,
    layers,
    egress,
    traffic,
    cgroups,
    shared,
    moduleIndexes,
    nextUid,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function followTraffic(egress: Egress, traffic: Map<string, SandboxTraffic>): Disposable {
  const look = async () => {
    const usage = await egress.usage().catch(() => []); // Closed meanwhile.
    traffic.clear();
    for (const { id, ingressBytes, egressBytes } of usage) traffic.set(id, { ingressBytes, egressBytes });
  };
  const timer = setInterval(() => void look(), TRAFFIC_INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

interface ServerDirectories {
  socketsDir: string;
  programsDir: string;
  /** While it is had, no other server takes the directories for those of a dead one. */
  slot: ServerSlot;
}

async function makeDirectories(dataDir: string): Promise<ServerDirectories> {
  await sweep(dataDir);
  const socketsDir = await Deno.realPath(await Deno.makeTempDir({ prefix: "isola-" }));
  // A sandbox with a user of its own finds its sockets by their name, which nobody else knows.
  await Deno.chmod(socketsDir, 0o711);
  const programsDir = join(await Deno.realPath(dataDir), "run", basename(socketsDir));
  try {
    const comma = [socketsDir, programsDir].find((dir) => dir.includes(","));
    if (comma !== undefined) {
      throw new RangeError(
        `Cannot keep sandboxes in "${comma}": a permission of Deno cannot name a path with a comma`,
      );
    }
    const slot = takeServerSlot(dataDir, basename(socketsDir));
    await Deno.mkdir(programsDir, { recursive: true, mode: 0o711 });
    await Deno.writeTextFile(join(programsDir, ".sockets"), socketsDir);
    return { socketsDir, programsDir, slot };
  } catch (error) {
    await Deno.remove(socketsDir, { recursive: true });
    throw error;
  }
}

/**
 * Where the files of sandboxes are that have users of their own but no file view: if those may not pass through what leads to
 * the data directory (the home of root is such), beside the sockets.
 */
async function reachableDir(programsDir: string, socketsDir: string): Promise<string> {
  for (let dir = programsDir; dir !== "/"; dir = dirname(dir)) {
    if (((await Deno.stat(dir)).mode! & 0o001) !== 0) continue;
    const reachable = join(socketsDir, "programs");
    await Deno.mkdir(reachable, { mode: 0o711 });
    return reachable;
  }
  return programsDir;
}

interface Places {
  bootDir: string;
  socketsDir: string;
  programsDir: string;
  denoPath: string;
  asRoot: boolean;
  strongest: SandboxLevel;
}

/** In directories like those of a sandbox. */
async function tryEnclosures(
  { bootDir, socketsDir, programsDir, denoPath, asRoot, strongest }: Places,
): Promise<FoundEnclosure> {
  const paths = {
    denoPath,
    bootDir,
    appDir: join(programsDir, "trial"),
    socketsDir: join(socketsDir, "trial"),
    cacheDir: NO_CACHE,
  };
  await Deno.mkdir(paths.appDir);
  await Deno.mkdir(paths.socketsDir);
  const found = await findEnclosure({ paths, asRoot, strongest });
  for (const dir of [paths.appDir, paths.socketsDir]) await Deno.remove(dir, { recursive: true });
  return found;
}

function describeLayers(
  { level, confinement }: Enclosure,
  { uids, proxied, cgroups, missing }: {
    uids: boolean;
    proxied: boolean;
    cgroups: Cgroups | undefined;
    missing: string[];
  },
): SandboxLayers {
  const layers = [
    "Deno permissions",
    ...(confinement === undefined ? [] : ["rlimits"]),
    ...(confinement?.filterFile === undefined ? [] : ["seccomp"]),
    ...(uids ? ["own users"] : []),
    ...(level === "full" ? ["namespaces"] : level === "landlock" ? ["Landlock"] : []),
    ...(proxied ? ["no network but the egress proxy"] : []),
    ...(cgroups === undefined ? [] : [`cgroup v${cgroups.version} (${cgroups.controllers.join(", ")})`]),
  ];
  return { level, detail: layers.join(", "), cgroup: cgroups?.version ?? 0, missing };
}
