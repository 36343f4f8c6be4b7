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
  /** Each request is told to whoever started the runner. @default {false} */
  accessLog?: boolean;
}

/**
 * Every hostname served here, lower case, without port or trailing dot; `*.example.com` stands for one label before it, if that
 * is not there itself.
 * **Invariant:** a table is never mutated; a new one replaces it whole.
 */
export type RouteTable = ReadonlyMap<string, Route>;

/** What becomes of some hostnames: where they lead from now on; `null` = nowhere. */
export type RouteChanges = ReadonlyMap<string, Route | null>;

/** Who runs a relay that sends requests for deployments of its own, which are in no route table. */
export interface Subhoster {
  /** The `kid` of its tokens. */
  id: string;
  /** Each signs tokens (HS256); more than one while they are changed. */
  secrets: readonly string[];
  /** A token's `rpc_root` is one of these or below it. Absolute URLs as `URL` writes them, that end in `/`. */
  rpcRoots: readonly string[];
  /** Requests in flight in one isolate; more wait. */
  maxConcurrency: number;
  /** Time to response headers in ms; 0 = none. */
  requestTimeoutMs: number;
}

/** Which deployment a request is for that came through a relay, as its signed token says. */
export interface Subhosted {
  subhosterId: string;
  /** The subhoster's own name of it. */
  deploymentId: string;
  /** Where its code comes from; ends in `/`. */
  rpcRoot: string;
}

/** Why a relay's token was refused. */
export type TokenProblem =
  | "malformed"
  | "algorithm"
  | "unknown_subhoster"
  | "signature"
  | "claims"
  | "expired"
  | "not_yet_valid"
  | "rpc_root";

/** Tokens that were refused for the same reason. */
export interface RefusedTokens {
  /** Who they said they were from; `null` = nobody who is known. */
  subhosterId: string | null;
  problem: TokenProblem;
  count: number;
}

/** The answer to {@linkcode AcquireMessage}: a live isolate, or the error that the visitor gets. */
export type Acquired =
  | { isolateId: string; socketPath: string }
  | { code: ErrorCode; retryAfterS?: number };

/** What goes on over threads and processes of one trace (W3C Trace Context §3.2.2). */
export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  traceId: string;
  /** 16 hexadecimal digits, not all 0: whoever gets this is a child of that span. */
  spanId: string;
  /** Bit 0: it is recorded. */
  traceFlags: number;
}

/** One request that is over. */
export interface AccessEntry {
  deploymentId: string;
  /** Unix time in ms when its head had arrived. */
  timeMs: number;
  /** Until the end of the response, or of the WebSocket. */
  durationMs: number;
  method: string;
  /** Lower case, without port. */
  host: string;
  /** At most 2048 characters. **Invariant:** without the query, which may carry secrets. */
  path: string;
  /** HTTP/1.0 is HTTP/1.1. */
  protocol: "HTTP/1.1" | "HTTP/2" | "WebSocket";
  /** `null` = the visitor left before there was one. */
  status: number | null;
  /** The response reached its end. */
  complete: boolean;
  /** From the visitor, head included; of HTTP/2 what it is in HTTP/1.1. */
  requestBytes: number;
  responseBytes: number;
  /** `null` = it reached none. */
  isolateId: string | null;
  /** It waited for its isolate's start. */
  cold: boolean;
  /** Why no isolate answered it, or not to the end. */
  errorCode: ErrorCode | null;
  /** The visitor's. */
  address: string;
  /** As the app sees it in `traceparent`. */
  traceId: string;
  /** Of the error page that was the answer. */
  requestId: string | null;
}

/** Requests that are over, and of each deployment how many are missing because they were too many. */
export interface AccessBatch {
  entries: readonly AccessEntry[];
  dropped: ReadonlyMap<string, { count: number; last: AccessEntry }>;
}

/** Responses to visitors since they were told last. */
export interface ResponseCounts {
  /** By the first digit of their status. */
  byClass: readonly number[];
  /** Error pages in place of a response. */
  errors: Readonly<Partial<Record<ErrorCode, number>>>;
  refusedTokens: readonly RefusedTokens[];
}

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
  /** Whose relays are listened to. */
  subhosters: readonly Subhoster[];
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

/** What is known of a request that needs an isolate. */
export interface AcquireContext {
  /** Requests are traced. */
  trace?: TraceContext;
  /** It came through a relay: the deployment's id is then `{subhosterId}/{deploymentId}` of this, the latest such request's. */
  subhosted?: Subhosted;
}

/** Asks for a live isolate; answered by `acquired` with the same `requestId`. A granted isolate is leased until `release`. */
export interface AcquireMessage extends AcquireContext {
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
  /** The batch of access entries has been dealt with: the next may come. */
  | { type: "accessTaken" }
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
  /** Answered by `accessTaken`. */
  | { type: "access"; batch: AccessBatch }
  | { type: "inFlight"; requestId: number; isolateIds: string[] }
  /** Once a second, if there were any. */
  | { type: "responses"; counts: ResponseCounts }
  | { type: "drained" };
