/**
 * Starts a program within Landlock (landlock(7)) and a seccomp program, for machines that refuse namespaces. Not part of a
 * sandbox's host: it becomes the program that it starts, in the same process.
 *
 *     landlock_launch.js --read=PATH --execute=FILE --sockets=DIR --tcp-port=PORT --filter=FILE -- PROGRAM ARG…
 *     landlock_launch.js --probe
 *
 * `--read`: what may be read. `--execute`: also run. `--sockets`: where unix sockets may be made. `--tcp-port`: may be
 * listened on and connected to. `--filter`: a seccomp program. Each can be given any number of times; what is not named is
 * denied, writing altogether.
 *
 * `--probe` prints as JSON which version of Landlock the kernel offers; 0 = none.
 */
import { addressOf, cString, openLibc, seccompProgram } from "./libc.ts";

/** As of env(1), for a program that could not be started. */
const EXIT_CODE = 126;

/** linux/prctl.h, linux/seccomp.h */
const PR_SET_PDEATHSIG = 1;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2n;
const SIGKILL = 9n;
/** fcntl.h: for rules, a path alone is enough, whatever its file is. */
const O_PATH_CLOEXEC = 0x20_0000 | 0x8_0000;
/** Calls that libc has no function for; the same on x86-64 and AArch64. */
const SYS = {
  close_range: 436n,
  landlock_create_ruleset: 444n,
  landlock_add_rule: 445n,
  landlock_restrict_self: 446n,
};
const CLOSE_RANGE_CLOEXEC = 4;

/** linux/landlock.h */
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const RULE_PATH_BENEATH = 1;
const RULE_NET_PORT = 2;
const BIND_AND_CONNECT_TCP = 1n | 2n;
const SCOPE_ABSTRACT_UNIX_SOCKETS_AND_SIGNALS = 1n | 2n;
const FS = {
  execute: 1n << 0n,
  readFile: 1n << 2n,
  readDir: 1n << 3n,
  removeFile: 1n << 5n,
  makeSocket: 1n << 9n,
};
const RIGHTS = {
  read: FS.readFile | FS.readDir,
  execute: FS.readFile | FS.execute,
  sockets: FS.readDir | FS.removeFile | FS.makeSocket,
};
/** How many rights each version knows: 2 added REFER, 3 TRUNCATE, 5 IOCTL_DEV. Later ones are as the last. */
const FS_RIGHTS = [0, 13, 14, 15, 15, 16];

/** prctl and syscall take what the operation takes: each form has a name of its own here. */
const { calls, succeed } = openLibc({
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  prctlStruct: { name: "prctl", parameters: ["i32", "u64", "buffer"], result: "i32" },
  createRuleset: { name: "syscall", parameters: ["i64", "buffer", "usize", "u32"], result: "i64" },
  addRule: { name: "syscall", parameters: ["i64", "i32", "u32", "buffer", "u32"], result: "i64" },
  restrictSelf: { name: "syscall", parameters: ["i64", "i32", "u32"], result: "i64" },
  closeRange: { name: "syscall", parameters: ["i64", "u32", "u32", "u32"], result: "i64" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
});

/** 0 also where Landlock is built in but not switched on (landlock_create_ruleset(2)). */
function landlockVersion(): number {
  return Math.max(
    0,
    Number(calls.createRuleset(SYS.landlock_create_ruleset, null, 0n, LANDLOCK_CREATE_RULESET_VERSION)),
  );
}

/** Denies all that this version of Landlock can, but for the paths and ports that the options name. */
function restrict(optionValues: (name: string) => string[]) {
  const version = landlockVersion();
  if (version === 0) throw new Error("Cannot use Landlock: this kernel does not offer it");
  const handled = (1n << BigInt(FS_RIGHTS[version] ?? FS_RIGHTS.at(-1)!)) - 1n;
  // struct landlock_ruleset_attr: older kernels refuse unknown fields that are not 0.
  const attributes = new BigUint64Array([
    handled,
    version >= 4 ? BIND_AND_CONNECT_TCP : 0n,
    version >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKETS_AND_SIGNALS : 0n,
  ]);
  const ruleset = succeed(
    "make a Landlock ruleset",
    calls.createRuleset(SYS.landlock_create_ruleset, attributes, BigInt(attributes.byteLength), 0),
  );
  for (const [name, rights] of Object.entries(RIGHTS)) {
    for (const path of optionValues(name)) allowPath(ruleset, path, rights);
  }
  if (version >= 4) { for (const port of optionValues("tcp-port")) allowPort(ruleset, Number(port)); }
  succeed("enter the Landlock domain", calls.restrictSelf(SYS.landlock_restrict_self, ruleset, 0));
  calls.close(ruleset);
}

function allowPath(ruleset: number, path: string, rights: bigint) {
  const fd = succeed(`open "${path}"`, calls.open(cString(path), O_PATH_CLOEXEC));
  // struct landlock_path_beneath_attr, which is packed.
  const rule = new DataView(new ArrayBuffer(12));
  rule.setBigUint64(0, Deno.statSync(path).isFile ? rights & ~FS.readDir : rights, true);
  rule.setInt32(8, fd, true);
  succeed(
    `allow "${path}"`,
    calls.addRule(SYS.landlock_add_rule, ruleset, RULE_PATH_BENEATH, rule.buffer, 0),
  );
  calls.close(fd);
}

function allowPort(ruleset: number, port: number) {
  // struct landlock_net_port_attr
  const rule = new BigUint64Array([BIND_AND_CONNECT_TCP, BigInt(port)]);
  succeed(`allow port ${port}`, calls.addRule(SYS.landlock_add_rule, ruleset, RULE_NET_PORT, rule, 0));
}

/** Becomes the program, with this environment and no descriptor but the standard ones. Only returns by an error. */
function execute(argv: string[]): never {
  const strings = argv.map(cString);
  const pointers = new BigUint64Array([...strings.map(addressOf), 0n]);
  calls.closeRange(SYS.close_range, 3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC);
  succeed(`execute "${argv[0]}"`, calls.execv(strings[0]!, pointers));
  throw new Error(`Cannot execute "${argv[0]}"`);
}

/** All of it is for this thread alone, which is the one that lives on in the program. */
function launch(args: string[]): never {
  const end = args.indexOf("--");
  const options = args.slice(0, end);
  const optionValues = (name: string) =>
    options.filter((option) => option.startsWith(`--${name}=`)).map((option) =>
      option.slice(name.length + 3)
    );
  const filters = optionValues("filter").map((path) => Deno.readFileSync(path));
  succeed("end with the parent", calls.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n));
  succeed("renounce new privileges", calls.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
  restrict(optionValues);
  for (const filter of filters) {
    succeed(
      "filter system calls",
      calls.prctlStruct(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, seccompProgram(filter)),
    );
  }
  execute(args.slice(end + 1));
}

try {
  if (Deno.args[0] === "--probe") console.log(JSON.stringify({ version: landlockVersion() }));
  else launch(Deno.args);
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(EXIT_CODE);
}
