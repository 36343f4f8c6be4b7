import assert from "node:assert/strict";
import { scheduleInBatches } from "./scheduling.ts";

Deno.test({
  name: "what is started after asking for batches is scheduled in batches",
  ignore: Deno.build.os !== "linux",
  async fn() {
    assert.equal(scheduleInBatches(), true);
    const { stdout } = await new Deno.Command("cat", { args: ["/proc/self/stat"] }).output();
    const stat = new TextDecoder().decode(stdout);
    // The name, in parentheses, may hold spaces: fields are counted after it (proc_pid_stat(5): policy is the 41st).
    assert.equal(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[41 - 3], "3");
  },
});
