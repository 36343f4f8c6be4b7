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
  /** Module to import: relative to that directory, or one of {@linkcode Program.modules}. */
  entry: string;
  /** File with the `ModuleIndex` of modules that have other names than their files, relative; not set = none have. */
  modules?: string;
  /** Only with {@linkcode Program.modules}; not set = its files are what is in the directory. */
  files?: ProvidedFiles;
  /**
   * Where there may be what Deno has made of that module (`encodeCompiledModule`): the path of its file, relative, too, and
   * `.compiled`.
   */
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

/** Files of a program that are fetched when it asks for them. To the program, `folder` is the root of all files. */
export interface ProvidedFiles {
  /** Relative to the program's directory; it is there when the program starts. */
  folder: string;
  /**
   * Puts in place what the program wants to look at: folders and empty files of the right size in any case, and what is in
   * `path` if `content` is asked for.
   *
   * @param dir The program's directory.
   * @param path Absolute below the root, such as `/a/b.txt`; as hostile as anything that a program says.
   * @throws {Error} It cannot be fetched; the message is the program's to read.
   */
  provide(dir: string, path: string, content: boolean): Promise<void>;
}
