/**
 * What a keeper (in the server) and the host (the trusted main isolate inside a sandbox) say to each other: JSON, one
 * message a line, over one unix socket. The only file that both sides of the boundary share.
 *
 * **Invariant:** whatever the keeper reads is hostile: a tenant can adopt any descriptor of its own process. A message
 * can change only what the keeper knows of that one sandbox.
 */

/** On which a sandbox's runtime collects garbage, after it has returned what is free (cli, `DENO_USR2_MEMORY_TRIM`). */
export const REST_SIGNAL = "SIGUSR2";

/** In a seccomp program, the number of the process that installs it. */
export const OWN_PID = 0x7fff_fffe;

/** What a sandbox's process does to itself, for good, before it carries a tenant. */
export interface Confinement {
  /** Becomes this user and group, and no other; only when it is started as root. */
  uid?: number;
  maxOpenFiles: number;
  /** Of its user, threads too; only where no other sandbox has the same user. */
  maxProcesses?: number;
  /** Of each file that it writes. */
  maxFileBytes: number;
  /** File beside the host's code with a seccomp program for all its threads; none where the kernel has no seccomp. */
  filterFile?: string;
  /** One more for when it has opened all that it opens by itself. */
  settledFilterFile?: string;
}

/** How a blank sandbox is made ready, before it knows its deployment. Paths are absolute, as the sandbox sees them. */
export interface PrepareMessage {
  type: "prepare";
  /** Where the keeper waits for the guest's own connection, which gets its program and answers `ready`. */
  controlSocket: string;
  /** The deployment's files will be here; nothing is yet. */
  appDir: string;
  /** Served by `Deno.serve`. */
  httpSocket: string;
  /** Served by a `node:http` server. */
  nodeSocket: string;
  /** Hosts that the tenant may connect to; `true` = every one that the way out lets it. */
  net: true | string[];
  /** The way out: what is sent to this address of the sandbox's own loopback interface goes to the egress proxy. */
  proxy?: { hostname: string; port: number; egressSocket: string };
  confinement?: Confinement;
  /** Other programs are in the same process, and what belongs to a process is not this one's alone. */
  shared: boolean;
  /** What a {@linkcode ModuleIndex} needs is to be loaded at once. */
  moduleIndex: boolean;
}

/** Tells a blank sandbox its program; `start` follows when its files are in place. */
export interface AssignMessage {
  type: "assign";
  /** URL of the module to import: a `file:` below `appDir`, or what `modules` has. */
  entry: string;
  /** Path of a {@linkcode ModuleIndex}; not set = modules are where their names say. */
  modules?: string;
  /**
   * Folder that is the root of all files for the program, which asks for each before it looks; only with `modules`; not set =
   * nothing is.
   */
  files?: string;
  env: Record<string, string>;
}

/** Modules that are imported by other names than those of their files, as JSON. A file's extension says how it is loaded. */
export interface ModuleIndex {
  /** By specifier: a file, relative to the index, or the specifier that stands for it. */
  modules: Record<
    string,
    { file: string; format: "module" | "json" | "wasm" | "text" | "bytes" } | { redirect: string }
  >;
  /** An import map (HTML, "Import maps") for specifiers that are no URLs. */
  importMap?: {
    url: string;
    imports?: Record<string, string>;
    scopes?: Record<string, Record<string, string>>;
  };
}

/** Bounds the process's data segment (RLIMIT_DATA), where it confines itself; the bound can only be lowered. */
export interface LimitMessage {
  type: "limit";
  maxDataBytes: number;
}

/** From the keeper; `assign` and `start` to the guest, all else to the host. */
export type ToSandbox =
  | PrepareMessage
  | AssignMessage
  | { type: "start" }
  | LimitMessage
  /** Asks how much background work is unfinished. */
  | { type: "pending"; id: number }
  /** What was asked for with this id is in place, as far as there is any; or why it is not. */
  | { type: "file"; id: number; error?: string };

/** Of what a program prints. */
export type SandboxLogLevel = "debug" | "info" | "warning" | "error";

/** From the host, from the guest or whoever took its place; from the latter through the host, but for `ready`. */
export type FromSandbox =
  /** Up, rehearsed, waiting for `assign`. */
  | { type: "blank" }
  /** The program serves, on this socket. */
  | { type: "ready"; socket: "http" | "node" }
  /** The program's last module ran to its end. */
  | { type: "evaluated" }
  | { type: "failed"; message: string }
  /** The program ended itself; `message` is set when it was by an error. */
  | { type: "exit"; code: number; message?: string }
  | { type: "log"; level: SandboxLogLevel; message: string }
  /** Log lines that the guest did not send, past the rate. */
  | { type: "dropped"; count: number }
  | { type: "pending"; id: number; count: number }
  /** Wants to look at a path below `files`: absolute, normalized; at what is in it, if `content` is set. */
  | { type: "file"; id: number; path: string; content: boolean };

/** To the host of a process that many programs share, which has a connection for each of them besides. */
export type ToSharedHost =
  /** Comes first, once. */
  | { type: "confine"; confinement?: Confinement }
  /** Makes a place for a program; its keeper waits at the path `control`, which names the place. */
  | { type: "open"; control: string }
  | { type: "close"; control: string };

/** From it, or whoever took its place. */
export type FromSharedHost =
  | { type: "confined" }
  /** The place is gone, but for a Worker that does not stop. */
  | { type: "closed"; control: string };

/** A line longer than this ends the connection. */
export const MAX_LINE_BYTES = 256 * 1024;
const CHUNK_BYTES = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One message as the bytes of its line. */
export function encodeLine(
  message: ToSandbox | FromSandbox | ToSharedHost | FromSharedHost,
): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(message) + "\n");
}

/** What comes in from a connection; each piece is good until the next one is asked for. */
export async function* unixChunks(connection: Deno.UnixConn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let length; (length = await connection.read(buffer)) !== null;) yield buffer.subarray(0, length);
}

/**
 * The lines of a byte stream, without their newline; an unfinished last line is dropped.
 *
 * @throws {RangeError} when a line is longer than `maxBytes`
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let line = new Uint8Array(0);
  let length = 0;
  const keep = (bytes: Uint8Array) => {
    const needed = length + bytes.length;
    if (needed > maxBytes) throw new RangeError(`Cannot read a line of over ${maxBytes} bytes`);
    if (needed > line.length) {
      const longer = new Uint8Array(Math.min(maxBytes, 2 * needed));
      longer.set(line.subarray(0, length));
      line = longer;
    }
    line.set(bytes, length);
    length = needed;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      keep(chunk.subarray(start, end));
      yield decoder.decode(line.subarray(0, length));
      length = 0;
      start = end + 1;
    }
    keep(chunk.subarray(start));
  }
}
