import type { Env } from "hono";
import type { LogStore } from "../logs/mod.ts";
import type { IsolateInfo, Limits } from "../model.ts";
import type { Principal, Store } from "../store/mod.ts";
import type { Authenticator } from "./access/auth.ts";
import type { DnsConfig } from "../config/tls_config.ts";
import type { Repositories } from "../git/push/repositories.ts";
import type { UsageLedger } from "../usage/mod.ts";
import type { RefusedTokenStatus, SubhosterStatus } from "./subhosting/subhoster_status.ts";

/** What `GET /healthz` tells; it is answered with 503 unless the status is `ok`. */
export interface Health {
  status: "ok" | "starting" | "draining";
  [detail: string]: unknown;
}

/** What the API needs from the rest of the server. */
export interface ApiDeps {
  store: Store;
  authenticator: Authenticator;
  logs: LogStore;
  usage: Pick<UsageLedger, "rows" | "totals">;
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
  /** Follows the repositories of projects. */
  follower: {
    /** Looks at a project's repository soon. */
    wake(projectId: string): void;
    /** Looks at it now; resolves when that is done, throws with the reason why it cannot be read. */
    sync(projectId: string): Promise<void>;
    /** Called when a deployment's build has ended. */
    finished(deploymentId: string): void;
  };
  /** What is pushed here. */
  repositories: Repositories;
  dns: DnsConfig;
  /** The live isolates of this machine. */
  isolates(): Promise<IsolateInfo[]>;
  subhosting: {
    /** Each configured subhoster's; empty = there is none. */
    status(): readonly SubhosterStatus[];
    /** Of all subhosters, and of nobody known. */
    refusedTokens(): readonly RefusedTokenStatus[];
  };
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
  metrics(): Promise<string> | string;
  /** This machine's region. */
  region: string;
  /** Platform domain of the default URLs. */
  baseDomain: string;
  /** The URL of a hostname on the data plane, such as `http://shop.localhost:8000`. */
  publicUrl(hostname: string): string;
  /** Names under which the control listener may be addressed, beside localhost and IP literals. */
  controlHostnames: readonly string[];
  /** Who calls, where a proxy that the operator trusts says so in its headers; else `peer`. */
  clientAddress(peer: string, headers: Headers): string;
  /** The machine's defaults. */
  limits: Limits;
}

/** What the middleware hands to the routes. */
export interface ApiEnv extends Env {
  Bindings: {
    /** The address of the connection. */
    address: string;
  };
  Variables: {
    principal: Principal;
    /** Whose is what the call is about, once that is found. */
    organizationId?: string;
  };
}
