/** What a runner needs from outside, and the messages in which it asks for it. Plain data only: they cross threads. */
import type { ErrorCode } from "./errors.ts";
import type { TrustedProxy } from "./front/trusted_proxies.ts";
import type { VisitorLimits } from "./visitor_limits.ts";

/** Where a hostname leads. */
export interface Route {
  deploymentId: string;
  /** Requests in flight in the isolate; more wait. */
  maxConcurrency: number;
  /** Time to response headers in ms; 0 = none. */
  requestTimeoutMs: number;
}

/**
 * Every hostname served here, lower case, without port or trailing dot.
 * **Invariant:** a table is never mutated; a new one replaces it whole.
 */
export type RouteTable = ReadonlyMap<string, Route>;

/** What becomes of some hostnames: where they lead from now on; `null` = nowhere. */
export type RouteChanges = ReadonlyMap<string, Route | null>;

/** The answer to {@linkcode AcquireMessage}: a live isolate, or the error that the visitor gets. */
export type Acquired =
  | { isolateId: string; socketPath: string }
  | { code: ErrorCode; retryAfterS?: number };

/** What passed through one isolate since it was leased, as one runner counted it. */
export interface IsolateUsage {
  isolateId: string;
  requests: number;
  inFlight: number;
  /** Unix time in ms of the last byte or request; 0 = none yet. */
  lastActiveAt: number;
  ingressBytes: number;
  egressBytes: number;
}

/** What visitors of some names are served with. */
export interface Certificate {
  id: string;
  /** Lower case. `*.example.com` covers one label. */
  names: readonly string[];
  /** PEM, the leaf first. */
  chain: string;
  /** PEM. */
  privateKey: string;
}

/** What is answered to a certificate authority that checks who has a name (RFC 8555 §8.3). */
export interface Challenge {
  hostname: string;
  token: string;
  keyAuthorization: string;
}

/** What becomes of the certificates. One that is replaced is in both lists, by its old and by its new id. */
export interface CertificateChanges {
  installed: readonly Certificate[];
  /** Ids. */
  removed: readonly string[];
}

/** Where to listen. */
export interface ListenAddress {
  hostname: string;
  /** 0 = any free one. */
  port: number;
}

/** Where a runner listens, and how long things may wait there. */
export interface RunnerOptions {
  http: ListenAddress;
  /** `null` = no TLS. */
  https: ListenAddress | null;
  /** Plain requests for names that have a certificate are sent to HTTPS. */
  redirect: boolean;
  limits: VisitorLimits;
  proxies: readonly TrustedProxy[];
  /** An isolate without activity for so long is released. */
  idleTimeoutMs: number;
  /** How long a request waits for a place in its isolate. */
  queueTimeoutMs: number;
}

/** What a runner serves from the start on. */
export interface RunnerState {
  routes: RouteTable;
  certificates: readonly Certificate[];
}

/** Asks for a live isolate; answered by `acquired` with the same `requestId`. A granted isolate is leased until `release`. */
export interface AcquireMessage {
  type: "acquire";
  requestId: number;
  deploymentId: string;
}

/** What a runner is told. */
export type ToRunner =
  | { type: "start"; options: RunnerOptions; state: RunnerState }
  | { type: "routes"; changes: RouteChanges }
  | { type: "certificates"; changes: CertificateChanges }
  /** All that are answered from now on. */
  | { type: "challenges"; challenges: readonly Challenge[] }
  /** An order for a certificate has ended, or none is made. */
  | { type: "ordered"; hostname: string }
  | { type: "acquired"; requestId: number; result: Acquired }
  /** The isolate is gone; requests in flight there end with `code`. */
  | { type: "ended"; isolateId: string; code: ErrorCode }
  /** Give the isolate back if nothing is in flight there: answered by `release` or `busy`. */
  | { type: "recall"; isolateId: string }
  | { type: "usage"; requestId: number }
  /** In which isolates are requests in flight? Asked often. */
  | { type: "inFlight"; requestId: number }
  /**
   * Stop accepting, finish what is in flight until the deadline (ms from now), then answer `drained`. Where another server
   * takes over, go on accepting for `lingerMs`: what the kernel has for this one would be reset.
   */
  | { type: "drain"; deadlineMs: number; lingerMs: number };

/** What a runner says. **Invariant:** every granted isolate is followed by exactly one `release` or `broken`. */
export type FromRunner =
  | { type: "listening"; http: ListenAddress; https: ListenAddress | null }
  | { type: "failed"; message: string }
  | AcquireMessage
  /** A name that leads somewhere is asked for by TLS, and has no certificate: answered by `ordered`. */
  | { type: "want"; hostname: string }
  /** The runner holds the isolate no longer and will `acquire` before using it again. */
  | { type: "release"; usage: IsolateUsage }
  | { type: "busy"; isolateId: string }
  /** The isolate cannot be connected to or broke the protocol: it should be ended. The runner holds it no longer. */
  | { type: "broken"; usage: IsolateUsage; code: ErrorCode }
  | { type: "usage"; requestId: number; isolates: IsolateUsage[] }
  | { type: "inFlight"; requestId: number; isolateIds: string[] }
  | { type: "drained" };
