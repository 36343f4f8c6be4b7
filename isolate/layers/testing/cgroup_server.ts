/** A server that opens control groups, starts a process in one, and is killed: run by `cgroup_test.ts`. */
import { openCgroups } from "../cgroup.ts";
import { dirsOf, spawnIn } from "./group_trial.ts";

const groups = await openCgroups({ name: "killed", maxProcesses: 64, cpuPercent: 100 });
if ("unavailable" in groups) throw new Error(groups.unavailable);
const group = await groups.create("left-over");
const { pid } = spawnIn(group, "/bin/sleep", ["1000"]);
console.log(JSON.stringify({ dirs: dirsOf(group), pid }));
setInterval(() => {}, 1000);
