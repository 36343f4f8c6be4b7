/** A directory of a hierarchy of control groups. */
export interface CgroupPlace {
  dir: string;
  /** Its name in the hierarchy, such as "/system.slice/isola.service". */
  path: string;
}

/** Where one process is in each hierarchy that can be seen here. */
export interface CgroupPlaces {
  v2?: CgroupPlace;
  /** By controller. */
  v1: Map<string, CgroupPlace>;
}

/**
 * Finds a process's own groups. A container sees a part of a hierarchy, under another name: what is mounted is compared
 * with what the group is called.
 *
 * @param mountinfo /proc/pid/mountinfo (proc_pid_mountinfo(5))
 * @param cgroup /proc/pid/cgroup (cgroups(7))
 */
export function findCgroupPlaces(mountinfo: string, cgroup: string): CgroupPlaces {
  const mounts = mountinfo.trimEnd().split("\n").map(parseMount);
  const places: CgroupPlaces = { v1: new Map() };
  for (const line of cgroup.trimEnd().split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === "") {
      places.v2 ??= placeIn(mounts.find(({ type }) => type === "cgroup2"), path);
      continue;
    }
    for (const controller of controllers.split(",")) {
      const mount = mounts.find(({ type, options }) => type === "cgroup" && options.includes(controller));
      const place = placeIn(mount, path);
      if (place !== undefined) places.v1.set(controller, place);
    }
  }
  return places;
}

interface Mount {
  /** Which part of the hierarchy is there. */
  root: string;
  dir: string;
  type: string;
  /** Of a hierarchy of v1, its controllers are among them. */
  options: string[];
}

function parseMount(line: string): Mount {
  const [mount = "", filesystem = ""] = line.split(" - ");
  const [, , , root = "", dir = ""] = mount.split(" ");
  const [type = "", , options = ""] = filesystem.split(" ");
  return { root: unescapeOctal(root), dir: unescapeOctal(dir), type, options: options.split(",") };
}

/** A space, for example, is written as \040. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}

function placeIn(mount: Mount | undefined, path: string): CgroupPlace | undefined {
  if (mount === undefined || `${path}/`.startsWith("/../")) return undefined;
  const root = mount.root === "/" ? "" : mount.root;
  if (!`${path}/`.startsWith(`${root}/`)) return undefined;
  const below = path.slice(root.length);
  return { dir: mount.dir + (below === "/" ? "" : below), path };
}
