import { callLibc } from "./libc.ts";

/** `SIG_IGN` of signal(2). */
const SIG_IGN = 1n;

/**
 * Has the kernel drop a signal to this process from now on, whoever in the runtime has a handler for it. Programs that are
 * started later inherit that until they install their own.
 *
 * @returns False where that cannot be done: no glibc.
 */
export function ignoreSignal(signal: number): boolean {
  return callLibc({ signal: { parameters: ["i32", "pointer"], result: "pointer" } }, (libc) => {
    libc.signal(signal, Deno.UnsafePointer.create(SIG_IGN));
    return true;
  });
}
