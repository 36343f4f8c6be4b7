import type { Env } from "hono";
import type { LogStore } from "../logs/mod.ts";
import type { IsolateInfo, Limits } from "../model.ts";
import type { Principal, Store } from "../store/mod.ts";
import type { DnsConfig } from "../config/tls_config.ts";
import type { UsageLedger } from "../usage/mod.ts";

/** What `GET /healthz` tells; it is answered with 503 unless the status is `ok`. */
export interface Health {
  status: "ok" | "starting" | "draining";
  [detail: string]: unknown;
}

/** What the API needs from the rest of the server. */
export interface ApiDeps {
  store: Store;
  logs: LogStore;
  usage: Pick<UsageLedger, "rows">;
  builds: {
    /** Takes a pending deployment in for its build. Throws when too many wait. */
    submit(deploymentId: string): void;
    /** Ends a build that waits or runs, if there is one. */
    cancel(deploymentId: string): void;
  };
  /** Who orders certificates; `undefined` = nobody. */
  certificates: {
    /** Orders a domain's certificate and keeps its status; throws with the reason why there is none. */
    provision(domainId: string): Promise<void>;
    /** Called when a domain was verified, so that its certificate is ordered without being asked for. */
    wake(): void;
  } | undefined;
  dns: DnsConfig;
  /** The live isolates of this machine. */
  isolates(): Promise<IsolateInfo[]>;
  /** Resolves once all changes of routes and certificates so far are in force: whoever is told of one can rely on it. */
  routed(): Promise<void>;
  /** Called after a deployment was deleted and its routes are gone: its isolates are to end. */
  ended(deploymentId: string): void;
  /** Called for each deployment of a project that is untrusted from now on. */
  distrusted(deploymentId: string): void;
  /** Whether each isolate has a process of its own; those of untrusted projects need one. */
  isolation: "process" | "shared";
  health(): Health;
  /** In the text format of Prometheus. */
  metrics(): string;
  /** Platform domain of the default URLs. */
  baseDomain: string;
  /** The URL of a hostname on the data plane, such as `http://shop.localhost:8000`. */
  publicUrl(hostname: string): string;
  /** Names under which the control listener may be addressed, beside localhost and IP literals. */
  controlHostnames: readonly string[];
  /** The machine's defaults. */
  limits: Limits;
}

/** What the middleware hands to the routes. */
export interface ApiEnv extends Env {
  Variables: { principal: Principal };
}
