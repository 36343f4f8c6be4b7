import { openLibc } from "./libc.ts";

/** Where `ucontext_t` has the stack pointer (sys/ucontext.h). */
const STACK_POINTER_OFFSETS = { x86_64: 160, aarch64: 432 };
/** More than it has on any of them. */
const CONTEXT_BYTES = 8 * 1024;
/** asm-generic/mman-common.h */
const MADV_DONTNEED = 4;
/** The largest page that Linux has. */
const PAGE_BYTES = 64n * 1024n;
/** What is looked through: between the stack and other mappings the kernel keeps more (Documentation/mm/process_addrs). */
const SPARE_BYTES = 1024n * 1024n;

/**
 * Returns to the kernel what this thread's stack has once held, 0.3 MB of what Deno needs to start: below the page after the
 * one that is in use, it holds nothing, and reads as zero when it is used again (madvise(2)).
 *
 * @throws {Deno.errors.NotCapable} without the permission `ffi`
 */
export function returnSpareStack(): void {
  const { calls, succeed } = openLibc({
    getcontext: { parameters: ["buffer"], result: "i32" },
    madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
  });
  const context = new DataView(new ArrayBuffer(CONTEXT_BYTES));
  succeed("find the stack", calls.getcontext(context));
  const inUse = context.getBigUint64(STACK_POINTER_OFFSETS[Deno.build.arch], true);
  const end = (inUse / PAGE_BYTES - 1n) * PAGE_BYTES;
  // It fails for what the stack has not grown to, and does the rest.
  calls.madvise(end - SPARE_BYTES, SPARE_BYTES, MADV_DONTNEED);
}
