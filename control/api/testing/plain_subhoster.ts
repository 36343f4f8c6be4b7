import { DEFAULT_LIMITS } from "../../model.ts";
import type { SubhosterStatus } from "../subhosting/subhoster_status.ts";

/** A subhoster that has done a little. */
export const PLAIN_SUBHOSTER: SubhosterStatus = {
  id: "acme",
  rpcRoots: ["https://origin.example/v0/"],
  region: "fra",
  limits: DEFAULT_LIMITS,
  permissions: { net: null },
  hasNextSecret: false,
  cached: { deployments: 12, bytes: 4096 },
  isolates: 2,
  usage: { requests: 7, cpuMs: 1500, uptimeMs: 60_000, ingressBytes: 10, egressBytes: 2048 },
  origins: [{
    rpcRoot: "https://origin.example/v0/",
    circuit: "closed",
    calls: 20,
    failures: 0,
    lastError: null,
  }],
  events: { pending: 0, pendingBytes: 0, delivered: 30, dropped: 0, lastError: null },
};
