import type { SandboxLevel } from "../../isolate/enclosure.ts";
import { NEVER, NEVER_AGAIN, SETTLED } from "../../isolate/layers/syscalls.ts";
import { type Attack, attacksOf } from "./attack.ts";

/** In programs: libc, and every system call by its number. */
export const NATIVE = `
  import fs from "node:fs";
  const c = Deno.dlopen("libc.so.6", {
    __errno_location: { parameters: [], result: "pointer" },
    open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    listen: { parameters: ["i32", "i32"], result: "i32" },
    kill: { parameters: ["i32", "i32"], result: "i32" },
    getuid: { parameters: [], result: "u32" },
    setuid: { parameters: ["u32"], result: "i32" },
    setgid: { parameters: ["u32"], result: "i32" },
    chmod: { parameters: ["buffer", "u32"], result: "i32" },
    chown: { parameters: ["buffer", "u32", "u32"], result: "i32" },
    mkdir: { parameters: ["buffer", "u32"], result: "i32" },
    mknod: { parameters: ["buffer", "u32", "u64"], result: "i32" },
    symlink: { parameters: ["buffer", "buffer"], result: "i32" },
    link: { parameters: ["buffer", "buffer"], result: "i32" },
    rename: { parameters: ["buffer", "buffer"], result: "i32" },
    unlink: { parameters: ["buffer"], result: "i32" },
    mount: { parameters: ["buffer", "buffer", "buffer", "u64", "pointer"], result: "i32" },
    truncate: { parameters: ["buffer", "i64"], result: "i32" },
    umount2: { parameters: ["buffer", "i32"], result: "i32" },
    chroot: { parameters: ["buffer"], result: "i32" },
    unshare: { parameters: ["i32"], result: "i32" },
    ptrace: { parameters: ["i64", "i32", "pointer", "pointer"], result: "i64" },
    prlimit: { parameters: ["i32", "i32", "buffer", "pointer"], result: "i32" },
    setpriority: { parameters: ["i32", "i32", "i32"], result: "i32" },
    fork: { parameters: [], result: "i32" },
    execv: { parameters: ["buffer", "buffer"], result: "i32" },
    posix_spawn: { parameters: ["buffer", "buffer", "pointer", "pointer", "buffer", "pointer"], result: "i32" },
    shmget: { parameters: ["i32", "usize", "i32"], result: "i32" },
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
    inotify_init1: { parameters: ["i32"], result: "i32" },
    dup: { parameters: ["i32"], result: "i32" },
    mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
    memset: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
    syscall: { parameters: ["i64", "u64", "u64", "u64", "u64", "u64", "u64"], result: "i64" },
  }).symbols;
  const errnoPointer = c.__errno_location();
  const errno = () => new Int32Array(Deno.UnsafePointerView.getArrayBuffer(errnoPointer, 4))[0];
  const str = (text) => new TextEncoder().encode(text + "\\0");
  /** The result, or an error with libc's number. */
  const call = (name, ...args) => {
    const result = Number(c[name](...args));
    if (result < 0) throw new Error(name + ": errno " + errno());
    return result;
  };
  const readFile = (path) => {
    const fd = call("open", str(path), 0, 0);
    const bytes = new Uint8Array(256);
    return path + ": " + new TextDecoder().decode(bytes.subarray(0, call("read", fd, bytes, 256n)));
  };
  const [OVERWRITE, CREATE] = [0o1001, 0o1102];
  const writeFile = (path, flags, text = "attacked") =>
    path + ": " + call("write", call("open", str(path), flags, 0o644), str(text), BigInt(text.length));
  const refuse = (number) => { throw new Error("errno " + number) };
  /** The first place where it succeeds, or an error with all errors. */
  const anywhere = (attempt) => {
    const places = [T.dir, T.sockets, T.app, T.boot, "/tmp", "/var/tmp", "/dev/shm", "/dev", "/dev/pts", "/run", "/proc", "/", "."];
    const errors = [];
    for (const place of places) {
      try { return place + ": " + attempt(place + "/new" + errors.length); } catch (error) { errors.push(error.message); }
    }
    throw new Error(errors.join(", "));
  };
  const [AF_UNIX, AF_INET, AF_INET6, STREAM, DGRAM, RAW] = [1, 2, 10, 1, 2, 3];
  const inet = (address, port) => Uint8Array.from([2, 0, port >> 8, port & 255, ...address.split(".").map(Number), 0, 0, 0, 0, 0, 0, 0, 0]);
  const inet6Loopback = (port) => Uint8Array.from([10, 0, port >> 8, port & 255, 0, 0, 0, 0, ...new Array(15).fill(0), 1, 0, 0, 0, 0]);
  const unix = (path) => Uint8Array.from([1, 0, ...str(path)]);
  const abstract = (name) => Uint8Array.from([1, 0, 0, ...new TextEncoder().encode(name)]);
  const dial = (family, address, type = STREAM) => {
    const fd = call("socket", family, type, 0);
    call("connect", fd, address, address.length);
    return "connected";
  };
`;

const ROOT = 0;
/** Where no sandbox has a user of its own, nothing but the file view is between it and its neighbour's sockets. */
const SAME_USER: SandboxLevel[] = Deno.uid() === 0 ? [] : ["landlock"];
const PTRACE_ATTACH = 16;

/** What a tenant tries that has broken out of V8: it runs native code in a process which its host has confined. */
export const NATIVE_ATTACKS: Attack[] = attacksOf({
  "read the users of the machine": [`return readFile("/etc/passwd")`, "process"],
  "read a file that everyone may read": [`return readFile(T.secretFile)`, "process"],
  "read a file that root may read": `return readFile("/etc/shadow")`,
  "read a private file": `return readFile(T.privateFile)`,
  "read the server's environment": `return readFile("/proc/" + T.serverPid + "/environ")`,
  "read the server's command line": [
    `const line = readFile("/proc/" + T.serverPid + "/cmdline"); if (!line.includes("deno")) throw new Error("errno 2: another's"); return line;`,
    "process",
  ],
  "read the neighbour's environment": `return readFile("/proc/" + T.victimPid + "/environ")`,
  "read the neighbour's memory": `return readFile("/proc/" + T.victimPid + "/mem")`,
  "read the neighbour's program": [`return readFile(T.victimApp + "/main.js")`, "process"],
  "list the sandboxes": `return fs.readdirSync(T.socketsDir).join()`,
  "list the programs": `return fs.readdirSync(T.programsDir).join()`,
  "read the environment of what started it": `
    const text = readFile("/proc/1/environ");
    if (text.includes("CONTROL_SOCKET")) throw new Error("errno 0: as cleared as its own");
    return text;`,
  "leave by the root of the first process": `
    const names = fs.readdirSync("/proc/1/root/");
    if (!names.includes("etc")) throw new Error("errno 0: the same as its own");
    return names;`,
  "write into the memory of the first process": `return call("open", str("/proc/1/mem"), 2, 0)`,
  "read the machine's memory": `return readFile("/dev/mem")`,
  "read the kernel's log": `return readFile("/dev/kmsg")`,
  "read a disk": `return readFile("/dev/vda")`,
  "write over its program": `return writeFile(T.app + "/main.js", OVERWRITE)`,
  "write beside its program": `return writeFile(T.app + "/new.js", CREATE)`,
  "write over the neighbour's program": `return writeFile(T.victimApp + "/main.js", OVERWRITE)`,
  "write over a file that everyone may read": `return writeFile(T.secretFile, OVERWRITE)`,
  "write over a file that everyone may write": [`return writeFile(T.openFile, OVERWRITE)`, "process"],
  "write over our code": `return writeFile(T.boot + "/host.js", OVERWRITE)`,
  "write into the root": `return writeFile("/new", CREATE)`,
  "write into a directory that everyone may write": `return writeFile(T.dir + "/new", CREATE)`,
  "write into /dev": `return writeFile("/dev/new", CREATE)`,
  "write into shared memory": `return writeFile("/dev/shm/new", CREATE)`,
  "change the kernel's settings": `return writeFile("/proc/sys/kernel/core_pattern", OVERWRITE)`,
  "change its network's settings": `return writeFile("/proc/sys/net/ipv4/ip_forward", OVERWRITE, "1")`,
  "score itself against being ended": `return writeFile("/proc/self/oom_score_adj", OVERWRITE, "-1000")`,
  "make a file": `return anywhere((path) => writeFile(path, CREATE))`,
  "make a file without a name":
    `return anywhere((path) => call("open", str(path.replace(/new\\d+$/, "")), 0o20200002, 0o600))`,
  "make a file that runs as its owner": `return anywhere((path) => call("open", str(path), 0o102, 0o4755))`,
  "make a directory": `return anywhere((path) => call("mkdir", str(path), 0o755))`,
  "make a device": `return anywhere((path) => call("mknod", str(path), 0o20666, 0x0103n))`,
  "make a pipe with a name": `return anywhere((path) => call("mknod", str(path), 0o10666, 0n))`,
  "make a link": `return anywhere((path) => call("symlink", str("/etc/passwd"), str(path)))`,
  "make a hard link": `return anywhere((path) => call("link", str(T.app + "/main.js"), str(path)))`,
  "make a hard link to a secret": `return anywhere((path) => call("link", str(T.secretFile), str(path)))`,
  "make a socket": `
    return anywhere((path) => { const address = unix(path); return call("bind", call("socket", AF_UNIX, STREAM, 0), address, address.length) })`,
  "move its program": `return anywhere((path) => call("rename", str(T.app + "/main.js"), str(path)))`,
  "move its socket": `return anywhere((path) => call("rename", str(T.sockets + "/http.sock"), str(path)))`,
  "remove its program": `return call("unlink", str(T.app + "/main.js"))`,
  "remove its sockets": `
    const removed = ["http", "node", "control", "egress"].filter((name) => c.unlink(str(T.sockets + "/" + name + ".sock")) === 0);
    return removed.join() || refuse(errno())`,
  "empty its program": `return call("truncate", str(T.app + "/main.js"), 0n)`,
  "have a file run as its owner": `return call("chmod", str(T.app + "/main.js"), 0o4755)`,
  "open its program to others": `return call("chmod", str(T.app + "/main.js"), 0o777)`,
  "open its sockets' directory again": `return call("chmod", str(T.sockets), 0o700)`,
  "give a file to root": `return call("chown", str(T.app + "/main.js"), ${ROOT}, ${ROOT})`,
  "put a link in place of its socket": `
    const [socket, other] = [str(T.sockets + "/http.sock"), str(T.sockets + "/node.sock")];
    c.chmod(str(T.sockets), 0o700);
    try { call("rename", socket, other) } catch { call("unlink", socket) }
    return call("symlink", str(T.unixPath), socket)`,

  "serve on loopback": `
    const fd = call("socket", AF_INET, STREAM, 0);
    const address = inet("127.0.0.1", 0);
    return call("bind", fd, address, address.length)`,
  "serve on a port of the kernel's choice": `return call("listen", call("socket", AF_INET, STREAM, 0), 1)`,
  "serve an abstract unix socket": `
    const address = abstract("isola-attacker");
    return call("bind", call("socket", AF_UNIX, STREAM, 0), address, address.length)`,
  "receive datagrams": `
    const address = abstract("isola-attacker-datagrams");
    return call("bind", call("socket", AF_UNIX, DGRAM, 0), address, address.length)`,
  "connect to the neighbour's socket": [
    `return dial(AF_UNIX, unix(T.victimSockets + "/http.sock"))`,
    ...SAME_USER,
  ],
  "connect to the neighbour's socket as the server does": [
    `return dial(AF_UNIX, unix(T.socketsDir + "/served/victim/http.sock"))`,
    ...SAME_USER,
  ],
  "connect to the neighbour's keeper": `return dial(AF_UNIX, unix(T.victimSockets + "/control.sock"))`,
  "connect to the neighbour's egress": [
    `return dial(AF_UNIX, unix(T.victimSockets + "/egress.sock"))`,
    ...SAME_USER,
  ],
  "connect to a unix socket that everyone may": [
    `return dial(AF_UNIX, unix(T.unixPath))`,
    "landlock",
    "process",
  ],
  "connect to an abstract unix socket": [`return dial(AF_UNIX, abstract(T.abstractName))`, "process"],
  "connect to a server on loopback": [`return dial(AF_INET, inet("127.0.0.1", T.port))`, "process"],
  "connect to a server on loopback by 0.0.0.0": [`return dial(AF_INET, inet("0.0.0.0", T.port))`, "process"],
  "connect to a server on loopback by IPv6": [`return dial(AF_INET6, inet6Loopback(T.port))`, "process"],
  "connect to the machine's own address": [
    `return T.addresses.filter((address) => address.includes(".") && !address.startsWith("127.")).concat("127.0.0.2")
      .map((address) => dial(AF_INET, inet(address, T.port))).join()`,
    "process",
  ],
  "connect out, past the proxy": [`return dial(AF_INET, inet("192.0.2.1", 80))`, "process"],
  "send a datagram out": [
    `const address = inet("192.0.2.1", 53);
     return call("sendto", call("socket", AF_INET, DGRAM, 0), str("query"), 5n, 0, address, address.length)`,
    "process",
  ],
  "open a raw socket": `return call("socket", AF_INET, RAW, 1)`,
  "open a packet socket": `return call("socket", 17, RAW, 768)`,
  "open a socket to the hypervisor": `return call("socket", 40, STREAM, 0)`,
  "open a socket to the kernel's cryptography": `return call("socket", 38, 5, 0)`,
  "open a netlink socket for the kernel's events": `return call("socket", 16, RAW, 15)`,
  "open a socket of an unusual protocol": `return call("socket", AF_INET, STREAM, 132)`,

  // Signal 0 only asks whether one could be sent: an attack that succeeds should not end whoever runs it.
  "signal its neighbour": `return call("kill", T.victimPid, 0)`,
  "signal everybody": `return call("kill", -1, 0)`,
  "signal its own group": `return call("kill", 0, 0)`,
  "signal the server": `return call("kill", T.serverPid, 0)`,
  "debug its neighbour": `return call("ptrace", ${PTRACE_ATTACH}n, T.victimPid, null, null)`,
  "change its neighbour's limits":
    `return call("prlimit", T.victimPid, 7, new BigUint64Array([1n, 1n]), null)`,
  "raise its own limits": `return call("prlimit", 0, 7, new BigUint64Array([1_000_000n, 1_000_000n]), null)`,
  "take precedence": `return call("setpriority", 0, 0, -20)`,
  "start a process": `const pid = call("fork"); if (pid === 0) for (;;) call("dup", 0); return pid`,
  "spawn a process": `
    const pid = new Int32Array(1);
    const argv = new BigUint64Array([Deno.UnsafePointer.value(Deno.UnsafePointer.of(str("sh"))), 0n]);
    const failed = c.posix_spawn(pid, str(Deno.execPath()), null, null, argv, null);
    if (failed) throw new Error("posix_spawn: errno " + failed);
    return pid[0];`,
  "become another program": `
    const path = str(Deno.execPath());
    return call("execv", path, new BigUint64Array([Deno.UnsafePointer.value(Deno.UnsafePointer.of(path)), 0n]))`,
  "become root": `return call("setuid", ${ROOT})`,
  "become group root": `return call("setgid", ${ROOT})`,
  "make a user namespace": `return call("unshare", 0x10000000)`,
  "make a network namespace": `return call("unshare", 0x40000000)`,
  "mount": `return call("mount", str("none"), str(T.app), str("tmpfs"), 0n, null)`,
  "unmount": `return call("umount2", str("/proc"), 2)`,
  "change its root": `return call("chroot", str("/"))`,
  "let others debug it": `return call("prctl", 4, 1n, 0n, 0n, 0n)`,
  "outlive its server": `return call("prctl", 1, 0n, 0n, 0n, 0n)`,
  "share memory by System V": `return call("shmget", 4711, 4096n, 0o1666)`,
});

/** The same, before it serves: its sockets' directory is not sealed yet. */
export const EARLY_NATIVE_ATTACKS: Attack[] = attacksOf({
  "fill its sockets' directory": `
    const fd = call("open", str(T.sockets + "/junk"), 0o1102, 0o644); return call("write", fd, new Uint8Array(1024), 1024n)`,
  "make directories beside its sockets": `return call("mkdir", str(T.sockets + "/junk.d"), 0o755)`,
  "put a link in place of its socket": `
    call("rename", str(T.sockets + "/http.sock"), str(T.sockets + "/old.sock"));
    try { return call("symlink", str(T.unixPath), str(T.sockets + "/http.sock")) }
    finally { c.unlink(str(T.sockets + "/http.sock")); c.rename(str(T.sockets + "/old.sock"), str(T.sockets + "/http.sock")) }`,
});

/** What the kernel says to a call that a seccomp program refuses: EPERM; no text of an error for another reason. */
export const REFUSED_CALL = /^refused .*: errno 1 ?$/;

/** Each call that the seccomp programs' table refuses, by its number. */
export const SYSCALL_ATTACKS: Attack[] = [...NEVER, ...NEVER_AGAIN, ...SETTLED].flatMap(({ calls }) =>
  Object.entries(calls).flatMap(([name, [x86, arm]]) => {
    const number = Deno.build.arch === "x86_64" ? x86 : arm;
    if (number === null) return [];
    const code = `return call("syscall", ${number}n, 0n, 0n, 0n, 0n, 0n, 0n)`;
    return [{ name: `the system call ${name}`, code, open: [] }];
  })
);
