import { until } from "../subjects/child.ts";
import { cpuMs } from "./cpu.ts";

/** CPU time is counted in ticks of 10 ms: none in this time means idle. */
const QUIET_MS = 200;

/** Returns once processes and their descendants use no CPU. */
export async function untilQuiet(pids: readonly number[]): Promise<void> {
  await until("processes to have nothing to do", async () => {
    const before = cpuMs(pids);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    if (cpuMs(pids) > before) throw new Error("They are working");
  });
}
