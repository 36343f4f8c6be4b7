import { parentDeathLayer } from "../command.ts";
import type { Enclosure } from "../enclosure.ts";
import type { Confinement } from "../protocol.ts";

/** What {@linkcode bare} works with. */
export interface BareOptions {
  /** Of util-linux; not set where there is none. */
  setprivPath?: string;
  confinement: Omit<Confinement, "uid"> | undefined;
}

/** Level `process`: Deno's permissions, and what a process can do to itself. It has the machine's own files and network. */
export function bare({ setprivPath, confinement }: BareOptions): Enclosure {
  const endsWithServer = setprivPath === undefined ? undefined : parentDeathLayer(setprivPath);
  return {
    level: "process",
    inside: (paths) => paths,
    proxyPort: () => undefined,
    ancestors: 0,
    confinement,
    wrap: (command) => endsWithServer?.(command) ?? command,
  };
}
