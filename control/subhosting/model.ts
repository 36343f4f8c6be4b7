/** What subhosting is about: plain data, shared by the origin's client, the kept contents, the events and the API. */
import type { Limits } from "../model.ts";

/** Who runs a relay and an origin, as the operator configured it. */
export interface SubhosterConfig {
  /** The `kid` of its tokens. */
  id: string;
  /** Shared with its relay and its origin; ours to sign with. */
  secret: string;
  /** Accepted beside it, while secrets are changed; `null` = none. */
  nextSecret: string | null;
  /** A token's `rpc_root` is one of these or below it. Absolute URLs as `URL` writes them, that end in `/`. */
  rpcRoots: readonly string[];
  /** Of its deployments; the machine's defaults fill the rest. */
  limits: Partial<Limits>;
  /** Hosts that a deployment may connect to whose configuration does not say; `null` = all public ones. */
  net: readonly string[] | null;
  /** `DENO_REGION` of its deployments, and that of its events; `null` = the machine's. */
  region: string | null;
}

/** An origin of a subhoster. */
export interface Origin {
  subhosterId: string;
  /** Ends in `/`. */
  rpcRoot: string;
}

/** Which deployment of which subhoster. */
export interface SubhostedName {
  subhosterId: string;
  /** The subhoster's own name of it. */
  deploymentId: string;
}

/** What a deployment's origin says of it in `x-deno-config`, checked. */
export interface IsolateConfig {
  /** `import.meta.url` of the module that is imported. */
  entrypoint: string;
  env: Record<string, string>;
  /** What the body of the boot answer is. */
  layer: { kind: "bundle"; specifier: string } | { kind: "eszip" };
  /** `null` = all public hosts; `undefined` = it does not say. */
  net: readonly string[] | null | undefined;
}

/** An entry of a deployment's files. Paths are absolute and normalized: `/a/b.txt`; the root is `""`. */
export type FileTreeEntry =
  | { kind: "directory" }
  | { kind: "file"; size: number; hash: string }
  /** Relative to its folder; `..` comes first or not at all. */
  | { kind: "symlink"; target: string };

/** A deployment's files by their paths. Every folder on the way to an entry is an entry, too. */
export type FileTree = ReadonlyMap<string, FileTreeEntry>;

/** What an event tells (deno.com/subhosting/docs/events); `usage` is ours. */
export type EventPayload =
  | { event_type: "boot"; event: { /** Seconds. */ boot_time: number } }
  | { event_type: "bootFailure"; event: { msg: string } }
  | { event_type: "log"; event: { msg: string; level: "debug" | "info" | "warning" | "error" } }
  | { event_type: "uncaughtException"; event: { msg: string } }
  | { event_type: "memoryLimit"; event: { msg: string } }
  | { event_type: "timeLimit"; event: { msg: string } }
  | { event_type: "usage"; event: UsageEvent };

/** What an isolate used since its last such event, for billing. */
export interface UsageEvent {
  requests: number;
  /** Milliseconds. */
  cpu_time: number;
  /** Milliseconds. */
  uptime: number;
  /** Greatest in that time. */
  memory_bytes: number;
  ingress_bytes: number;
  egress_bytes: number;
}

/** One line of what is posted to `{rpc_root}events`. */
export type SubhostingEvent = EventPayload & {
  deployment_id: string;
  /** RFC 3339. */
  timestamp: string;
  /** The isolate's; that of a boot which got none is its own. */
  execution_id: string;
  region: string;
  /** Which event it is: one that comes twice has the same. */
  context: { event_id: string };
};
