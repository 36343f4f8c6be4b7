import { type Confinement, OWN_PID } from "../protocol.ts";
import { type Libc, openLibc, seccompProgram } from "./libc.ts";

/** The confinement of a process, its seccomp programs being read. */
export interface ConfineOptions extends Omit<Confinement, "filterFile" | "settledFilterFile"> {
  /** A seccomp program for every thread; not set where the kernel has no seccomp. */
  filter?: Uint8Array<ArrayBuffer>;
  /** One more, for {@linkcode Confined.settle}. */
  settledFilter?: Uint8Array<ArrayBuffer>;
}

/** What may still be tightened. */
export interface Confined {
  /**
   * Bounds the data segment (RLIMIT_DATA): heaps, buffers and the memory of WebAssembly. It can only be lowered.
   *
   * @throws {Error} when the kernel refuses
   */
  limitData(bytes: number): void;
  /**
   * Installs the second seccomp program, if there is one: what the process has opened until now is all.
   *
   * @throws {Error} when the kernel refuses
   */
  settle(): void;
}

/** asm-generic/resource.h */
const RLIMIT = { FSIZE: 1, DATA: 2, CORE: 4, NPROC: 6, NOFILE: 7 };
/** linux/prctl.h */
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
/** bits/signum-arch.h */
const SIGKILL = 9;
const SIGXFSZ = 25;
const SIG_IGN = 1n;
/** linux/seccomp.h */
const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_FILTER_FLAG_TSYNC = 1n;
/** The call's number, which libc has no function for. */
const SYS_SECCOMP = { x86_64: 317n, aarch64: 277n };

const SYMBOLS = {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  signal: { parameters: ["i32", "usize"], result: "isize" },
  setgroups: { parameters: ["usize", "pointer"], result: "i32" },
  setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  syscall: { parameters: ["i64", "u64", "u64", "buffer"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * Takes power from this process for good, every thread of it, and then the permission `ffi` from its Deno, so that nothing
 * that runs in it later can do the like. To be called before there is a Worker.
 *
 * @throws {Error} that names the call and its error; the process is then of no use
 */
export function confine({ uid, filter, settledFilter, ...limits }: ConfineOptions): Confined {
  const libc = openLibc(SYMBOLS);
  lower(libc, RLIMIT.CORE, 0);
  lower(libc, RLIMIT.NOFILE, limits.maxOpenFiles);
  lower(libc, RLIMIT.FSIZE, limits.maxFileBytes);
  // A write past it then fails with EFBIG, instead of ending the process (setrlimit(2)).
  libc.succeed("ignore SIGXFSZ", libc.calls.signal(SIGXFSZ, SIG_IGN));
  if (limits.maxProcesses !== undefined) lower(libc, RLIMIT.NPROC, limits.maxProcesses);
  if (uid !== undefined) become(libc, uid);
  // The kernel forgets it when a process becomes another user (prctl(2)), and the parent then needs CAP_KILL for it.
  libc.succeed("end with the parent", libc.calls.prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL), 0n, 0n, 0n));
  libc.succeed("refuse debuggers", libc.calls.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n));
  libc.succeed("renounce new privileges", libc.calls.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
  if (filter !== undefined) filterSystemCalls(libc, program(filter));
  const settled = settledFilter && program(settledFilter);
  Deno.permissions.revokeSync({ name: "ffi" });
  return {
    limitData: (bytes) => lower(libc, RLIMIT.DATA, bytes),
    settle: () => settled && filterSystemCalls(libc, settled),
  };
}

/** A program and the structure that points to it, which must live as long. */
interface Program {
  filter: Uint8Array<ArrayBuffer>;
  structure: Uint8Array<ArrayBuffer>;
}

function program(filter: Uint8Array<ArrayBuffer>): Program {
  const words = new Uint32Array(filter.buffer);
  for (const [index, word] of words.entries()) if (word === OWN_PID) words[index] = Deno.pid;
  return { filter, structure: seccompProgram(filter) };
}

/** Sets the soft and the hard limit, and leaves one alone that is lower already. */
function lower({ calls, succeed }: Libc<typeof SYMBOLS>, resource: number, limit: number) {
  const current = new BigUint64Array(2);
  succeed(`read limit ${resource}`, calls.getrlimit(resource, current));
  const hard = current[1]! < BigInt(limit) ? current[1]! : BigInt(limit);
  succeed(`set limit ${resource} to ${hard}`, calls.setrlimit(resource, new BigUint64Array([hard, hard])));
}

/**
 * libc's functions change the user of all threads, where the system calls change that of one (setresuid(2)). All
 * capabilities go with it (capabilities(7)).
 */
function become({ calls, succeed }: Libc<typeof SYMBOLS>, uid: number) {
  succeed("leave all groups", calls.setgroups(0n, null));
  succeed(`become group ${uid}`, calls.setresgid(uid, uid, uid));
  succeed(`become user ${uid}`, calls.setresuid(uid, uid, uid));
}

/** The program and, with it, no_new_privs of the caller go to all threads (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC). */
function filterSystemCalls({ calls, succeed }: Libc<typeof SYMBOLS>, { structure }: Program) {
  const thread = succeed(
    "filter system calls",
    calls.syscall(
      SYS_SECCOMP[Deno.build.arch],
      SECCOMP_SET_MODE_FILTER,
      SECCOMP_FILTER_FLAG_TSYNC,
      structure,
    ),
  );
  if (thread !== 0) throw new Error(`Cannot filter system calls: thread ${thread} has another filter`);
}
