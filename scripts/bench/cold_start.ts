import { freePort, until } from "./child.ts";
import { cpuMs } from "./cpu.ts";
import { firstByteMs } from "./first_byte.ts";
import { startHello } from "./subject_deno.ts";
import type { IsolaSubject } from "./subject_isola.ts";

/** CPU time is counted in ticks of 10 ms, so that none in this time means idle. */
const QUIET_MS = 200;

/** Milliseconds from the first request to a deployment that never served one, the warm pool being full, to its answer. */
export async function isolaColdStartMs(isola: IsolaSubject): Promise<number> {
  const host = await isola.deploy();
  await until("the warm pool", async () => {
    const before = cpuMs(isola.pids);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    if (cpuMs(isola.pids) > before) throw new Error("Isola is still working");
  });
  return firstByteMs(isola.port, host);
}

/** Milliseconds from starting a Deno process to its first answer: what a start on demand costs without a warm pool. */
export async function denoColdStartMs(): Promise<number> {
  const port = freePort();
  const startedAt = performance.now();
  await using _child = startHello(`tcp:127.0.0.1:${port}`);
  await until("Deno.serve", () => firstByteMs(port, `127.0.0.1:${port}`));
  return performance.now() - startedAt;
}
