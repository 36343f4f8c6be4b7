import type { SandboxEndReason } from "./ending.ts";

/** How what carried a sandbox ended. */
export interface Exit {
  /** For people: its signal, or its exit code. */
  status: string;
  /** The end of what it wrote to stderr. */
  lastWords: string;
  /** It got no more memory, from its runtime, the allocator or its control group. */
  outOfMemory: boolean;
}

/** What a sandbox has used since it was blank. */
export interface SandboxUsage {
  cpuMs: number;
  /** Resident now, but for what it shared with others when it was blank. */
  memoryBytes: number;
}

/** What carries a sandbox's Worker: a process of its own, or a place in one that many share. */
export interface Carrier {
  /** Of the process. */
  readonly pid: number;
  /** Settles, never rejects, when it is gone. */
  readonly exited: Promise<Exit>;
  /** Where inside the way to the egress proxy begins; nothing where it has the machine's own network. */
  readonly proxy: { hostname: string; port: number } | undefined;
  /** To be called when the sandbox is blank: nothing before counts as its program's. */
  settle(): void;
  /**
   * To be called before it is given a program that may use so much.
   *
   * @returns the bound on its data segment that its host is to set, if any
   */
  limitMemory(bytes: number): Promise<number | undefined>;
  /** What it has used since it was blank; after its end, all in all. */
  measure(): SandboxUsage;
  /** How long it has been ready to run without a core, so far, in ms. */
  runDelayMs(): number;
  /** Ends it; idempotent. */
  kill(reason?: SandboxEndReason): void;
  /** To be called after its end: removes what the operating system keeps for it. */
  release(): Promise<void>;
}
