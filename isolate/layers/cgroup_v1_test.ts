import assert from "node:assert/strict";
import { CgroupV1 } from "./cgroup_v1.ts";

Deno.test("v1: controllers of one hierarchy are one group", () => {
  const { bases, controllers } = new CgroupV1({ cpu: "/c/cpu", cpuacct: "/c/cpu", memory: "/c/memory" });
  assert.deepEqual(bases, ["/c/cpu", "/c/memory"]);
  assert.deepEqual(controllers, ["memory", "cpu"]);
});

Deno.test("v1: what was used, page cache apart but for tmpfs", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-cgroup-" });
  try {
    const files = {
      "cpuacct.usage": "1234567000\n",
      "cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 2500000\n",
      "memory.usage_in_bytes": "90000000\n",
      "memory.stat": "cache 1\nshmem 1\ntotal_cache 60000000\ntotal_rss 20000000\ntotal_shmem 5000000\n",
      "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    };
    await Deno.mkdir(`${dir}/a`);
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${dir}/a/${name}`, text);
    const usage = new CgroupV1({ memory: dir, cpu: dir, cpuacct: dir }).usage("a");
    assert.deepEqual(usage, { cpuMs: 1234.567, throttledMs: 2.5, memoryBytes: 35_000_000, oomKills: 1 });
    assert.deepEqual(new CgroupV1({ pids: dir }).usage("a"), {});
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
