import {
  ALLOW,
  DATA,
  encodeProgram,
  fail,
  ifAnyBit,
  ifEqual,
  ifGreater,
  ifNoBit,
  ifNoneOf,
  KILL_PROCESS,
  load,
  loadArgument,
  mask,
  type Piece,
} from "./bpf.ts";
import {
  ABSENT,
  CHECKED,
  FOR_TOOLS,
  LAST_KNOWN_SYSCALL,
  NEVER,
  NEVER_AGAIN,
  SETTLED,
  type SyscallGroup,
  type SyscallNumbers,
} from "./syscalls.ts";

/** Which sockets a sandbox may open. */
export type SandboxSockets = "tcp4" | "ipv4";

type Arch = "x86_64" | "aarch64";

/** What {@linkcode seccompFilter} works with. */
export interface SeccompFilterOptions {
  arch: Arch;
  /**
   * 1: for whoever is still to start Deno and to become the sandbox's user.
   * 2: for the process in its final form; refuses all that 1 does.
   */
  stage: 1 | 2;
  /** In stage 2, the process's own number: it then may signal no other, whatever the kernel's own rules say. */
  selfPid?: number;
  /**
   * `tcp4`: unix and TCP over IPv4, for one that only gets to the egress proxy: Landlock bounds nothing but TCP ports.
   * `ipv4`: unix and IPv4, where Deno's permissions are what bounds addresses: those cannot name ranges of IPv6.
   */
  sockets: SandboxSockets;
}

/** linux/audit.h */
const AUDIT_ARCH = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 };
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const CLONE_NAMESPACES = 0x7e02_0000;
const CLONE_THREAD = 0x0001_0000;
const CLONE_FS = 0x200;
/** asm-generic/ioctls.h, sockios.h: TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, FIOSETOWN, SIOCSPGRP. */
const DENIED_IOCTLS = [0x5412, 0x541c, 0x541d, 0x5423, 0x8901, 0x8902];
/** asm-generic/fcntl.h: F_SETOWN, F_SETSIG, F_SETOWN_EX. */
const DENIED_FCNTLS = [8, 10, 15];
/** linux/prctl.h: PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER. */
const DENIED_PRCTLS = [1, 4, 0x5961_6d61];
/** asm-generic/fcntl.h: O_CREAT and O_TMPFILE without its O_DIRECTORY. */
const OPEN_CREATES = 0o100 | 0o20_000_000;
const SETUID_OR_SETGID = 0o6000;
const MODE_MASK = 0o7777;
const OWNER_ONLY = 0o700;

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** Above are SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCK_TYPE_MASK = 0xf;
/** "The family's own", TCP, UDP. Others load modules of the kernel, and Landlock's rules on ports are not for them. */
const PROTOCOLS = [0, 6, 17];
const MSG_FASTOPEN = 0x2000_0000;

/**
 * A seccomp program (seccomp(2)) that refuses what `syscalls.ts` lists.
 *
 * What is not listed is allowed, because Deno and V8 need a broad and changing set of calls: the program keeps the
 * dangerous parts of the kernel out of reach, and is not what a sandbox's files, network and processes depend on. A call
 * that is refused fails with EPERM and is survived; only one of a foreign architecture, whose numbers mean other calls,
 * ends the process.
 *
 * @returns `struct sock_filter[]`
 */
export function seccompFilter(options: SeccompFilterOptions): Uint8Array<ArrayBuffer> {
  const { arch, stage } = options;
  const groups = [...NEVER, ...(stage === 2 ? NEVER_AGAIN : [])];
  return judgeCalls(arch, (ifCalled) => [
    ...refuseUnknown(ifCalled),
    ...groups.flatMap(numbersOf).flatMap((numbers) => ifCalled(numbers, fail(EPERM))),
    ...Object.entries(judgements(options)).flatMap(([name, judge]) =>
      ifCalled(CHECKED[name as keyof typeof CHECKED].numbers, judge)
    ),
  ]);
}

/**
 * A program to be installed on top of the others when a sandbox has opened all that it opens by itself.
 *
 * @returns `struct sock_filter[]`
 */
export function settledFilter(arch: Arch): Uint8Array<ArrayBuffer> {
  return judgeCalls(arch, (ifCalled) => [
    ...SETTLED.flatMap(numbersOf).flatMap((numbers) => ifCalled(numbers, fail(EPERM))),
    ...ifCalled(CHECKED.open.numbers, refuseBits(1, OPEN_CREATES)),
    ...ifCalled(CHECKED.openat.numbers, refuseBits(2, OPEN_CREATES)),
  ]);
}

/**
 * A program for the tools that build a deployment, which start processes of their own: all of it may be of the deployment's
 * making.
 *
 * @returns `struct sock_filter[]`
 */
export function toolFilter(arch: Arch): Uint8Array<ArrayBuffer> {
  const never = NEVER.flatMap(({ calls }) => Object.entries(calls)).filter(([name]) => !FOR_TOOLS.has(name));
  return judgeCalls(arch, (ifCalled) => [
    ...refuseUnknown(ifCalled),
    ...never.flatMap(([, numbers]) => ifCalled(numbers, fail(EPERM))),
    ...ifCalled(CHECKED.unshare.numbers, fail(EPERM)),
    ...ifCalled(CHECKED.clone.numbers, refuseBits(0, CLONE_NAMESPACES)),
  ]);
}

/** A piece for one call; nothing where the architecture does not have it. */
type IfCalled = (numbers: SyscallNumbers, then: Piece) => Piece;

/** A program that judges by the number of a call and allows what is not judged. */
function judgeCalls(arch: Arch, judge: (ifCalled: IfCalled) => Piece): Uint8Array<ArrayBuffer> {
  const ifCalled: IfCalled = ([x86, arm], then) => {
    const number = arch === "x86_64" ? x86 : arm;
    return number === null ? [] : ifEqual(number, then);
  };
  return encodeProgram([
    ...load(DATA.architecture),
    ...ifNoneOf([AUDIT_ARCH[arch]], KILL_PROCESS),
    ...load(DATA.number),
    ...judge(ifCalled),
    ...ALLOW,
  ]);
}

/** Calls that are not known yet, and those that no program can look into, do not exist. */
function refuseUnknown(ifCalled: IfCalled): Piece {
  return [
    // The x32 calls of x86-64 have numbers far above.
    ...ifGreater(LAST_KNOWN_SYSCALL, fail(ENOSYS)),
    ...numbersOf(ABSENT).flatMap((numbers) => ifCalled(numbers, fail(ENOSYS))),
  ];
}

function numbersOf({ calls }: SyscallGroup): SyscallNumbers[] {
  return Object.values(calls);
}

/** What decides over calls by their arguments. Each ends by a verdict, because it loads over the call's number. */
function judgements(
  { stage, selfPid, sockets }: SeccompFilterOptions,
): Partial<Record<keyof typeof CHECKED, Piece>> {
  const denied = fail(EPERM);
  const socket = judgeSocket(sockets);
  const toItself = selfPid === undefined
    ? ALLOW
    : [...loadArgument(0), ...ifNoneOf([selfPid], denied), ...ALLOW];
  return {
    clone: [
      ...loadArgument(0),
      ...ifAnyBit(CLONE_NAMESPACES, denied),
      ...ifNoBit(CLONE_THREAD, denied),
      ...ALLOW,
    ],
    unshare: [...loadArgument(0), ...ifNoneOf([CLONE_FS], denied), ...ALLOW],
    socket,
    socketpair: socket,
    ioctl: refuseValues(1, DENIED_IOCTLS),
    fcntl: refuseValues(1, DENIED_FCNTLS),
    prlimit64: [
      ...loadArgument(0),
      ...ifNoneOf(selfPid === undefined ? [0] : [0, selfPid], denied),
      ...ALLOW,
    ],
    open: judgeCreation({ flags: 1, mode: 2 }),
    creat: refuseBits(1, SETUID_OR_SETGID),
    openat: judgeCreation({ flags: 2, mode: 3 }),
    // Of the calls that are made all the time, and so only where they need it.
    ...(sockets !== "tcp4" ? {} : {
      sendto: refuseBits(3, MSG_FASTOPEN),
      sendmsg: refuseBits(2, MSG_FASTOPEN),
      sendmmsg: refuseBits(3, MSG_FASTOPEN),
    }),
    ...(stage === 1 ? {} : {
      prctl: refuseValues(0, DENIED_PRCTLS),
      kill: toItself,
      tgkill: toItself,
      chmod: judgeMode(1),
      fchmod: judgeMode(1),
      fchmodat: judgeMode(2),
      fchmodat2: judgeMode(2),
    }),
  };
}

function refuseValues(argument: number, values: readonly number[]): Piece {
  return [...loadArgument(argument), ...values.flatMap((value) => ifEqual(value, fail(EPERM))), ...ALLOW];
}

function refuseBits(argument: number, bits: number): Piece {
  return [...loadArgument(argument), ...ifAnyBit(bits, fail(EPERM)), ...ALLOW];
}

function judgeMode(argument: number): Piece {
  return [...loadArgument(argument), ...mask(MODE_MASK), ...ifNoneOf([OWNER_ONLY], fail(EPERM)), ...ALLOW];
}

/** The mode counts only when a file is made; without, it may be anything. */
function judgeCreation(argument: { flags: number; mode: number }): Piece {
  return [
    ...loadArgument(argument.flags),
    ...ifNoBit(OPEN_CREATES, ALLOW),
    ...loadArgument(argument.mode),
    ...ifAnyBit(SETUID_OR_SETGID, fail(EPERM)),
    ...ALLOW,
  ];
}

function judgeSocket(sockets: SeccompFilterOptions["sockets"]): Piece {
  const unsupported = fail(EAFNOSUPPORT);
  const ofType = (types: readonly number[]): Piece => [
    ...loadArgument(1),
    ...mask(SOCK_TYPE_MASK),
    ...ifNoneOf(types, unsupported),
    ...loadArgument(2),
    ...ifNoneOf(PROTOCOLS, unsupported),
    ...ALLOW,
  ];
  return [
    ...loadArgument(0),
    ...ifEqual(AF_UNIX, ofType([SOCK_STREAM, SOCK_DGRAM])),
    ...ifEqual(AF_INET, ofType(sockets === "tcp4" ? [SOCK_STREAM] : [SOCK_STREAM, SOCK_DGRAM])),
    ...unsupported,
  ];
}
