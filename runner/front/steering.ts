import { openLibc } from "./libc.ts";

/** socket(7), <asm-generic/socket.h>. */
const SOL_SOCKET = 1;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;
/** `BPF_RET | BPF_K` (<linux/bpf_common.h>): the whole program returns a constant. */
const RETURN_CONSTANT = 0x06;
/** `struct sock_filter`, and `struct sock_fprog` where pointers have 64 bits (<linux/filter.h>). */
const INSTRUCTION_BYTES = 8;
const PROGRAM_BYTES = 16;
/** State of a socket in `/proc/net/tcp`: `TCP_LISTEN`. */
const LISTENING = "0A";

const SYMBOLS = {
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

/**
 * Sends new connections to this process where another one listens on the same addresses (`SO_REUSEPORT`, socket(7)),
 * until it is disposed: to one listener of ours at each address, by its place in the order in which they began to listen.
 *
 * When a listener closes, the last one in the order takes its place. So ours keeps its own while the others close, and
 * when nobody is at that place any more, from where on the kernel chooses among all, only ours are left. (Unless there
 * are fewer of ours than of the others: then it may choose one of theirs in the moment until the last of them closes.)
 *
 * Where there is no such library, the kernel chooses among all listeners all the time.
 */
export function steerHere(): Disposable {
  const libc = openLibc(SYMBOLS);
  if (libc === null) return { [Symbol.dispose]() {} };
  const { setsockopt } = libc.symbols;
  const steered: number[] = [];
  for (const { descriptor, others } of sharedAddresses()) {
    const program = constantProgram(others);
    if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, PROGRAM_BYTES) === 0) {
      steered.push(descriptor);
    }
  }
  return {
    [Symbol.dispose]() {
      const none = new Int32Array(1);
      for (const descriptor of steered) {
        setsockopt(descriptor, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, none, none.byteLength);
      }
      libc.close();
    },
  };
}

/** An address on which this process and others listen. */
interface SharedAddress {
  /** Of one of our listeners. */
  descriptor: number;
  /** How many listeners of others there are. */
  others: number;
}

function sharedAddresses(): SharedAddress[] {
  const own = ownSockets();
  const addresses = new Map<string, { descriptor: number | undefined; others: number }>();
  for (const { address, inode } of listeners()) {
    const known = addresses.get(address) ?? { descriptor: undefined, others: 0 };
    addresses.set(address, known);
    const descriptor = own.get(inode);
    if (descriptor === undefined) known.others++;
    else known.descriptor = descriptor;
  }
  return [...addresses.values()].filter((known): known is SharedAddress =>
    known.descriptor !== undefined && known.others > 0
  );
}

/** All listeners of TCP in this network namespace (proc_net(5)). */
function listeners(): { address: string; inode: string }[] {
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => {
    const lines = readIfThere(path).split("\n").slice(1);
    return lines.map((line) => line.trim().split(/\s+/)).flatMap((fields) => {
      const [, address = "", , state, , , , , , inode = ""] = fields;
      return state === LISTENING ? [{ address, inode }] : [];
    });
  });
}

/** Descriptors of this process's sockets, by inode. */
function ownSockets(): Map<string, number> {
  const sockets = new Map<string, number>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkTarget(`/proc/self/fd/${name}`))?.[1];
    if (inode !== undefined) sockets.set(inode, Number(name));
  }
  return sockets;
}

/** A program for the kernel: of the listeners of an address, the one with this index. Its instruction is behind its head. */
function constantProgram(index: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PROGRAM_BYTES + INSTRUCTION_BYTES);
  const instruction = bytes.subarray(PROGRAM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 1, true);
  view.setBigUint64(8, BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(instruction))), true);
  view.setUint16(PROGRAM_BYTES, RETURN_CONSTANT, true);
  view.setUint32(PROGRAM_BYTES + 4, index, true);
  return bytes;
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // A kernel without IPv6.
  }
}

function linkTarget(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return ""; // Closed meanwhile.
  }
}
