import type { SandboxHome } from "./home.ts";
import type { AppLogLine } from "./log_intake.ts";

/** What a sandbox is started with. */
export interface SandboxOptions {
  home: SandboxHome;
  /** Unique, short: names its sockets. */
  id: string;
  /** Hosts that its program may connect to, where there is no egress proxy that is told later; `true` = every public one. */
  net: true | string[];
  maxHeapMb: number;
  /** A program that is started as a tree: its files are put into the directory before the process starts. */
  tree?: Pick<Program, "populate" | "reclaim"> & {
    /** Deno's configuration, relative to that directory. */
    config: string;
  };
  onLog: (line: AppLogLine) => void;
}

/** A deployment's program, as a sandbox is given it. */
export interface Program {
  /** Puts the program's files into the directory; they are the sandbox's alone. Not set when they are there already. */
  populate?: (dir: string) => Promise<void>;
  /** Takes what can be used again out of the directory, when the process is gone. */
  reclaim?: (dir: string) => Promise<void>;
  /** Module to import, relative to that directory. */
  entry: string;
  /** Where there may be what Deno has made of that module (`encodeCompiledModule`); relative, too. */
  compiled?: string;
  env: Record<string, string>;
  /** Hosts that it may connect to; `true` = every public one. */
  net: true | string[];
  /** Of the whole isolate; whoever owns the sandbox sees to it, this is where the kernel does. */
  memoryMb: number;
  bootTimeoutMs: number;
}

/** Bytes of a sandbox's outbound connections. */
export interface SandboxTraffic {
  ingressBytes: number;
  egressBytes: number;
}
