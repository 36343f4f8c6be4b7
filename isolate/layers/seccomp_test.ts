import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { VERDICT } from "./bpf.ts";
import { type SandboxSockets, seccompFilter, type SeccompFilterOptions, toolFilter } from "./seccomp.ts";
import {
  ABSENT,
  CHECKED,
  FOR_TOOLS,
  LAST_KNOWN_SYSCALL,
  NEVER,
  NEVER_AGAIN,
  type SyscallNumbers,
} from "./syscalls.ts";
import { interpret } from "./testing/bpf_interpreter.ts";

type Arch = SeccompFilterOptions["arch"];

const ARCHES = ["x86_64", "aarch64"] as const;
const AUDIT_ARCH = { x86_64: 0xc000003e, aarch64: 0xc00000b7, i386: 0x40000003, arm: 0x40000028 };
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];
const STAGES = [1, 2] as const;
const SOCKETS: readonly SandboxSockets[] = ["tcp4", "ipv4"];

const numberOn = (arch: Arch, [x86, arm]: SyscallNumbers) => arch === "x86_64" ? x86 : arm;
const numbersOf = (arch: Arch, groups: typeof NEVER) =>
  groups.flatMap(({ calls }) => Object.values(calls)).map((numbers) => numberOn(arch, numbers))
    .filter((number) => number !== null);

/** 0 = allowed, an errno, or "killed". */
function verdict(options: SeccompFilterOptions, number: number, args: number[] = [], architecture?: number) {
  const program = seccompFilter(options);
  const value = interpret(program, { architecture: architecture ?? AUDIT_ARCH[options.arch], number, args });
  if (value === VERDICT.allow) return 0;
  if (value === VERDICT.killProcess) return "killed";
  assert.equal((value & 0xffff_0000) >>> 0, VERDICT.errno);
  return value & 0xffff;
}

Deno.test("each system call of the table fails, on each architecture, and no other", () => {
  for (const arch of ARCHES) {
    for (const stage of STAGES) {
      const denied = new Set(numbersOf(arch, stage === 1 ? NEVER : [...NEVER, ...NEVER_AGAIN]));
      const absent = new Set(numbersOf(arch, [ABSENT]));
      const checked = new Set(Object.values(CHECKED).map(({ numbers }) => numberOn(arch, numbers)));
      const program = seccompFilter({ arch, stage, sockets: "ipv4" });
      for (let number = 0; number <= LAST_KNOWN_SYSCALL; number++) {
        if (checked.has(number)) continue;
        const expected = absent.has(number)
          ? VERDICT.errno | ENOSYS
          : denied.has(number)
          ? VERDICT.errno | EPERM
          : VERDICT.allow;
        assert.equal(
          interpret(program, { architecture: AUDIT_ARCH[arch], number }),
          expected,
          `${arch} ${number}`,
        );
      }
    }
  }
});

Deno.test("tools of a build may have processes, but no namespaces and nothing else of the table", () => {
  const CLONE_NEWUSER = 0x1000_0000;
  for (const arch of ARCHES) {
    const program = toolFilter(arch);
    const judge = (numbers: SyscallNumbers, args: number[] = []) =>
      interpret(program, { architecture: AUDIT_ARCH[arch], number: numberOn(arch, numbers) ?? 0xffff, args });
    for (const [name, numbers] of NEVER.flatMap(({ calls }) => Object.entries(calls))) {
      if (numberOn(arch, numbers) === null) continue;
      const expected = FOR_TOOLS.has(name) ? VERDICT.allow : VERDICT.errno | EPERM;
      assert.equal(judge(numbers), expected, `${arch} ${name}`);
    }
    assert.equal(judge(CHECKED.clone.numbers), VERDICT.allow);
    assert.equal(judge(CHECKED.clone.numbers, [CLONE_NEWUSER]), VERDICT.errno | EPERM);
    assert.equal(judge(CHECKED.unshare.numbers, [CLONE_NEWUSER]), VERDICT.errno | EPERM);
    assert.equal(judge(ABSENT.calls.clone3!), VERDICT.errno | ENOSYS);
  }
});

Deno.test("a call of another architecture ends the process, one that is not known yet does not exist", () => {
  for (const arch of ARCHES) {
    for (const stage of STAGES) {
      const options = { arch, stage, sockets: "ipv4" } as const;
      for (const other of Object.values(AUDIT_ARCH).filter((value) => value !== AUDIT_ARCH[arch])) {
        assert.equal(verdict(options, 1, [], other), "killed");
      }
      const X32_WRITE = 0x4000_0001;
      for (const number of [LAST_KNOWN_SYSCALL + 1, X32_WRITE, 0xffff_ffff]) {
        assert.equal(verdict(options, number), ENOSYS);
      }
    }
  }
});

Deno.test("every call is listed once, every group has its reason", () => {
  const groups = [...NEVER, ...NEVER_AGAIN, ABSENT];
  const names = [...groups.flatMap(({ calls }) => Object.keys(calls)), ...Object.keys(CHECKED)];
  assert.deepEqual(names, [...new Set(names)]);
  for (const arch of ARCHES) {
    const numbers = numbersOf(arch, groups);
    assert.equal(numbers.length, new Set(numbers).size);
  }
  assert.ok([...groups, ...Object.values(CHECKED)].every(({ reason }) => reason.length > 0));
});

const SELF = 4711;
const THREAD = 0x3d0f00;
const NEWUSER = 0x10000000;
const STREAM = 1;
const DATAGRAM = 2;
const RAW = 3;
const NO_SIGNAL = 0x4000;
const FAST_OPEN = 0x2000_0000;
const NONBLOCK = 0o4000;
const CREATE = 0o101;
const TEMPORARY_FILE = 0o20200001;

/** What is decided by arguments. `errno`: 0 = allowed; in which stages and for which sockets, all if not said. */
interface Judgement {
  call: keyof typeof CHECKED;
  args: number[];
  errno: number;
  stage?: 1 | 2;
  sockets?: SandboxSockets;
}

/** AX25 to QIPCRTR, SMC and XDP, with IPX, PACKET, RDS, CAN, TIPC, BLUETOOTH, ALG, VSOCK and KCM among them. */
const OTHER_FAMILIES = [0, 3, 4, 5, 9, 11, 15, 17, 21, 29, 30, 31, 38, 39, 40, 41, 42, 43, 44, 45];
/** Raw, ICMP, SCTP, DCCP, UDP-Lite and MPTCP sockets, and those of the obsolete SOCK_PACKET. */
const OTHER_TYPES = [[RAW, 1], [RAW, 255], [5, 0], [6, 33], [10, 768], [DATAGRAM, 1], [DATAGRAM, 136], [
  STREAM,
  132,
], [
  STREAM,
  262,
]] as const;

const unsupported = (...args: number[]): Judgement => ({ call: "socket", args, errno: EAFNOSUPPORT });

const JUDGEMENTS: Record<string, Judgement[]> = {
  "threads are made, processes and namespaces are not": [
    { call: "clone", args: [THREAD], errno: 0 },
    { call: "clone", args: [17], errno: EPERM },
    { call: "clone", args: [THREAD | NEWUSER], errno: EPERM },
    { call: "clone", args: [0x4000_4111], errno: EPERM },
  ],
  "a thread may have a current directory of its own, and nothing else that unshare gives": [
    { call: "unshare", args: [0x200], errno: 0 },
    { call: "unshare", args: [0], errno: EPERM },
    { call: "unshare", args: [NEWUSER], errno: EPERM },
    { call: "unshare", args: [NEWUSER | 0x200], errno: EPERM },
  ],
  "sockets are unix and IPv4": [
    { call: "socket", args: [1, STREAM, 0], errno: 0 },
    { call: "socket", args: [2, STREAM | NONBLOCK, 0], errno: 0 },
    { call: "socket", args: [2, STREAM, 6], errno: 0 },
    { call: "socket", args: [2, DATAGRAM, 17], sockets: "ipv4", errno: 0 },
    { call: "socket", args: [16, RAW, 0], sockets: "ipv4", errno: EAFNOSUPPORT },
    { call: "socketpair", args: [1, STREAM, 0], errno: 0 },
  ],
  "of IPv4 they are TCP alone where the egress proxy is all that there is, and never IPv6": [
    { call: "socket", args: [2, DATAGRAM, 0], sockets: "tcp4", errno: EAFNOSUPPORT },
    { call: "socket", args: [10, STREAM, 0], sockets: "tcp4", errno: EAFNOSUPPORT },
    { call: "socket", args: [16, RAW, 0], sockets: "tcp4", errno: EAFNOSUPPORT },
    { call: "socket", args: [2, DATAGRAM, 0], sockets: "ipv4", errno: 0 },
    { call: "socket", args: [10, STREAM, 0], sockets: "ipv4", errno: EAFNOSUPPORT },
  ],
  "other families, types and protocols are refused": [
    ...OTHER_FAMILIES.map((family) => unsupported(family, STREAM, 0)),
    ...[2, 10].flatMap((family) =>
      OTHER_TYPES.map(([type, protocol]) => unsupported(family, type, protocol))
    ),
    // Of netlink: SOCK_DIAG, XFRM, AUDIT, CONNECTOR, NETFILTER, KOBJECT_UEVENT, GENERIC.
    ...[4, 6, 9, 11, 12, 15, 16].map((protocol) => unsupported(16, RAW, protocol)),
    { call: "socketpair", args: [40, STREAM, 0], errno: EAFNOSUPPORT },
  ],
  "data alone does not connect where Landlock judges connections": [
    { call: "sendto", args: [0, 0, 0, NO_SIGNAL], errno: 0 },
    { call: "sendto", args: [0, 0, 0, FAST_OPEN | NO_SIGNAL], sockets: "tcp4", errno: EPERM },
    { call: "sendmsg", args: [0, 0, FAST_OPEN], sockets: "tcp4", errno: EPERM },
    { call: "sendmmsg", args: [0, 0, 0, FAST_OPEN], sockets: "tcp4", errno: EPERM },
  ],
  "a terminal is not typed into, a signal is not sent by a descriptor": [
    { call: "ioctl", args: [0, 0x5401], errno: 0 },
    { call: "ioctl", args: [0, 0x5412], errno: EPERM },
    { call: "ioctl", args: [0, 0x1_0000_5412], errno: EPERM },
    { call: "ioctl", args: [0, 0x541c], errno: EPERM },
    { call: "ioctl", args: [0, 0x5423], errno: EPERM },
    { call: "ioctl", args: [0, 0x8901], errno: EPERM },
    { call: "fcntl", args: [0, 3], errno: 0 },
    { call: "fcntl", args: [0, 8, SELF], errno: EPERM },
    { call: "fcntl", args: [0, 10, 9], errno: EPERM },
    { call: "fcntl", args: [0, 15], errno: EPERM },
  ],
  "limits and signals are the process's own": [
    { call: "prlimit64", args: [0, 7], errno: 0 },
    { call: "prlimit64", args: [1, 7], errno: EPERM },
    { call: "prlimit64", args: [SELF, 7], stage: 2, errno: 0 },
    { call: "kill", args: [SELF, 0], stage: 2, errno: 0 },
    { call: "kill", args: [1, 0], stage: 2, errno: EPERM },
    { call: "kill", args: [0, 0], stage: 2, errno: EPERM },
    { call: "kill", args: [-1, 0], stage: 2, errno: EPERM },
    { call: "tgkill", args: [SELF, 1, 0], stage: 2, errno: 0 },
    { call: "tgkill", args: [1, 1, 0], stage: 2, errno: EPERM },
  ],
  "a process in its final form stays tied to its parent and closed to debuggers": [
    { call: "prctl", args: [1, 0], stage: 1, errno: 0 },
    { call: "prctl", args: [15, 0], stage: 2, errno: 0 },
    { call: "prctl", args: [1, 0], stage: 2, errno: EPERM },
    { call: "prctl", args: [4, 1], stage: 2, errno: EPERM },
    { call: "prctl", args: [0x5961_6d61, -1], stage: 2, errno: EPERM },
  ],
  "no program is left that runs as the sandbox's user, nothing is opened to others": [
    { call: "open", args: [0, CREATE, 0o644], errno: 0 },
    { call: "open", args: [0, 0, 0o6755], errno: 0 },
    { call: "open", args: [0, CREATE, 0o4755], errno: EPERM },
    { call: "creat", args: [0, 0o4755], errno: EPERM },
    { call: "openat", args: [-100, 0, CREATE, 0o666], errno: 0 },
    { call: "openat", args: [-100, 0, CREATE, 0o2755], errno: EPERM },
    { call: "openat", args: [-100, 0, TEMPORARY_FILE, 0o4755], errno: EPERM },
    { call: "chmod", args: [0, 0o777], stage: 1, errno: 0 },
    { call: "chmod", args: [0, 0o777], stage: 2, errno: EPERM },
    { call: "fchmod", args: [0, 0o4700], stage: 2, errno: EPERM },
    { call: "fchmod", args: [0, 0o700], stage: 2, errno: 0 },
    { call: "fchmodat", args: [-100, 0, 0], stage: 2, errno: EPERM },
    { call: "fchmodat2", args: [-100, 0, 0o6755, 0], stage: 2, errno: EPERM },
  ],
};

for (const [behaviour, judgements] of Object.entries(JUDGEMENTS)) {
  Deno.test(behaviour, () => {
    for (const { call, args, errno, ...only } of judgements) {
      for (const arch of ARCHES) {
        const number = numberOn(arch, CHECKED[call].numbers);
        if (number === null) continue;
        for (const stage of STAGES.filter((stage) => (only.stage ?? stage) === stage)) {
          for (const sockets of SOCKETS.filter((sockets) => (only.sockets ?? sockets) === sockets)) {
            const options = { arch, stage, sockets, selfPid: stage === 2 ? SELF : undefined };
            assert.equal(
              verdict(options, number, args),
              errno,
              `${call}(${args}) ${JSON.stringify(options)}`,
            );
          }
        }
      }
    }
  });
}

Deno.test("without the process's number, signals are left to the kernel's own rules", () => {
  for (const arch of ARCHES) {
    assert.equal(
      verdict({ arch, stage: 2, sockets: "ipv4" }, CHECKED.kill.numbers[arch === "x86_64" ? 0 : 1], [1, 0]),
      0,
    );
  }
});

const ALL_ONES = [-1, -1, -1, -1, -1, -1];

/** Calls and what a process in its final form must get for them. Without a filter, each would end differently. */
function trialCalls(arch: Arch, sockets: SandboxSockets): { call: number[]; errno: number }[] {
  const judged = Object.values(JUDGEMENTS).flat()
    .filter(({ stage = 2 }) => stage === 2)
    .filter((judgement) => (judgement.sockets ?? sockets) === sockets)
    .filter(({ errno, call, args }) => errno !== 0 || (call === "socket" && args[0]! <= 2))
    .flatMap(({ call, args, errno }) => {
      const number = numberOn(arch, CHECKED[call].numbers);
      return number === null ? [] : [{ call: [number, ...args], errno }];
    });
  const listed = (groups: typeof NEVER, errno: number) =>
    numbersOf(arch, groups).map((number) => ({ call: [number, ...ALL_ONES], errno }));
  return [...listed([...NEVER, ...NEVER_AGAIN], EPERM), ...listed([ABSENT], ENOSYS), ...judged];
}

for (const sockets of SOCKETS) {
  Deno.test({
    name: `the kernel refuses each system call of the table, sockets being "${sockets}"`,
    ignore: Deno.build.os !== "linux",
  }, async () => {
    const { arch } = Deno.build;
    const trials = trialCalls(arch, sockets);
    const filter = seccompFilter({ arch, stage: 2, sockets, selfPid: SELF });
    const errnos = await probe(filter, trials.map(({ call }) => call));
    assert.deepEqual(trials.map(({ call }, i) => ({ call, errno: errnos[i] })), trials);
  });
}

/** What becomes of these calls in a real process under the program. */
async function probe(filter: Uint8Array<ArrayBuffer>, calls: number[][]): Promise<number[]> {
  const path = await Deno.makeTempFile({ suffix: ".bpf" });
  await Deno.writeFile(path, filter);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-lock",
      fileURLToPath(import.meta.resolve("./testing/probe_syscalls.ts")),
      path,
      JSON.stringify(calls),
    ],
  }).output();
  await Deno.remove(path);
  const text = new TextDecoder().decode(stdout);
  assert.notEqual(text, "", new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

const HEADERS = {
  x86_64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
  aarch64: "/usr/include/asm-generic/unistd.h",
};

for (const arch of ARCHES) {
  const header = HEADERS[arch];
  Deno.test(
    { name: `the numbers for ${arch} are those of the kernel's header`, ignore: !existsSync(header) },
    async () => {
      const known = new Map<string, number>();
      for (
        const [, name, number] of (await Deno.readTextFile(header)).matchAll(
          /^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm,
        )
      ) {
        known.set(name!, Number(number));
      }
      const listed = [
        ...[...NEVER, ...NEVER_AGAIN, ABSENT].flatMap(({ calls }) => Object.entries(calls)),
        ...Object.entries(CHECKED).map(([name, { numbers }]) => [name, numbers] as const),
      ];
      // Headers may be older than the table.
      const last = Math.max(...known.values());
      for (const [name, numbers] of listed) {
        const number = numberOn(arch, numbers);
        if (number === null || number <= last) assert.equal(known.get(name) ?? null, number, name);
      }
    },
  );
}
