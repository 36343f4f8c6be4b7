import assert from "node:assert/strict";
import { findCgroupPlaces } from "./cgroup_places.ts";

const V2 =
  "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";

Deno.test("a service's group of v2", () => {
  const { v1, v2 } = findCgroupPlaces(
    `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n${V2}\n`,
    "0::/system.slice/isola.service\n",
  );
  assert.deepEqual(v2, {
    dir: "/sys/fs/cgroup/system.slice/isola.service",
    path: "/system.slice/isola.service",
  });
  assert.equal(v1.size, 0);
});

Deno.test("the root of a container's own cgroup namespace", () => {
  assert.deepEqual(findCgroupPlaces(V2, "0::/\n").v2, { dir: "/sys/fs/cgroup", path: "/" });
});

Deno.test("groups of v1, several controllers in one hierarchy, beside a v2 without any", () => {
  const mountinfo = [
    "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
    "34 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    "35 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
    "36 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
  ].join("\n");
  const { v1, v2 } = findCgroupPlaces(mountinfo, "4:memory:/a\n2:cpu,cpuacct:/b\n1:name=systemd:/c\n0::/d\n");
  assert.deepEqual(v1.get("memory"), { dir: "/sys/fs/cgroup/memory/a", path: "/a" });
  assert.deepEqual(v1.get("cpu"), { dir: "/sys/fs/cgroup/cpu,cpuacct/b", path: "/b" });
  assert.deepEqual(v1.get("cpuacct"), v1.get("cpu"));
  assert.equal(v1.get("pids"), undefined);
  assert.deepEqual(v2, { dir: "/sys/fs/cgroup/unified/d", path: "/d" });
});

Deno.test("a container that is shown its own part of a hierarchy under the hierarchy's name for it", () => {
  const mountinfo = "40 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
  assert.equal(
    findCgroupPlaces(mountinfo, "4:memory:/docker/abc").v1.get("memory")?.dir,
    "/sys/fs/cgroup/memory",
  );
  const below = findCgroupPlaces(mountinfo, "4:memory:/docker/abc/x:y");
  assert.equal(below.v1.get("memory")?.dir, "/sys/fs/cgroup/memory/x:y");
});

Deno.test("a group that is not among what is mounted is none", () => {
  const mountinfo = "40 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
  assert.equal(findCgroupPlaces(mountinfo, "4:memory:/docker/abcd").v1.size, 0);
  assert.equal(findCgroupPlaces(V2, "0::/../other").v2, undefined);
  assert.equal(findCgroupPlaces("", "0::/").v2, undefined);
});

Deno.test("a directory with a space in its name", () => {
  assert.equal(findCgroupPlaces(V2.replace("/sys/fs", "/my\\040fs"), "0::/a").v2?.dir, "/my fs/cgroup/a");
});
