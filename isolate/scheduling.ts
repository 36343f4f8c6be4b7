import { callLibc } from "./libc.ts";

/** sched(7). */
const SCHED_BATCH = 3;
/** `struct sched_param` (sched_setscheduler(2)): the priority, which has to be 0. */
const NO_PRIORITY = new Int32Array(1);

/**
 * Asks the kernel not to let a thread that wakes interrupt one that runs, for this thread and for all threads and processes
 * that it starts from now on. So a runner finds several requests each time that it is woken, also where there are more
 * busy threads than cores, and no isolate interrupts it.
 *
 * @returns False where the kernel does not know or allow that: everything works without.
 */
export function scheduleInBatches(): boolean {
  return callLibc(
    { sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" } },
    ({ sched_setscheduler }) => sched_setscheduler(0, SCHED_BATCH, NO_PRIORITY) === 0,
  );
}
