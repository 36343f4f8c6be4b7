import type { SandboxLevel } from "../../isolate/enclosure.ts";

/**
 * Every level, each of which a machine with Linux, Landlock and bubblewrap has. Tests run at all of them, and fail where one is
 * missing: a layer that is silently not there is the worst that can happen to them.
 */
export const LEVELS: readonly SandboxLevel[] = ["full", "landlock", "process"];
