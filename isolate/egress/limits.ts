/** How long things may take and how many of them there may be, in the egress proxy. */
export interface EgressLimits {
  /** From the first byte to the end of the request. */
  handshakeTimeoutMs: number;
  /** From the request to the connection: waiting, resolving and dialing. */
  setupTimeoutMs: number;
  /** For one address, while there are others to try. */
  attemptTimeoutMs: number;
  dnsTimeoutMs: number;
  /** Without a byte either way. */
  idleTimeoutMs: number;
  /** The same, once one side has said that it sends no more. */
  halfClosedTimeoutMs: number;
  /** Of one sandbox, at a time. More are answered with a failure, as past the next two. */
  connections: number;
  connectionsPerSecond: number;
  connectionBurst: number;
  /** Of all sandboxes, at a time. No sandbox has more than are left, so that the last few are not for the greediest. */
  totalConnections: number;
  /** How long a sandbox past its bounds is not listened to, after each connection. */
  refusalPauseMs: number;
  /** For the whole request of a connection past the bounds, so that few of them add up. */
  refusalTimeoutMs: number;
  /** Connections of one sandbox that are being set up at a time; more wait. */
  settingUp: number;
  totalSettingUp: number;
  /** Names of one sandbox that are being resolved at a time; more wait. */
  lookups: number;
  /** Each takes one of the 32 threads that Deno's event loop has for blocking calls. */
  totalLookups: number;
  /** Of one sandbox; more are refused. */
  waitingLookups: number;
}

/** What production has. */
export const EGRESS_LIMITS: Readonly<EgressLimits> = {
  handshakeTimeoutMs: 10_000,
  setupTimeoutMs: 10_000,
  attemptTimeoutMs: 3000,
  dnsTimeoutMs: 5000,
  idleTimeoutMs: 10 * 60_000,
  halfClosedTimeoutMs: 2 * 60_000,
  connections: 256,
  connectionsPerSecond: 64,
  connectionBurst: 256,
  totalConnections: 8192,
  refusalPauseMs: 10,
  refusalTimeoutMs: 1000,
  settingUp: 16,
  totalSettingUp: 512,
  lookups: 8,
  totalLookups: 32,
  waitingLookups: 64,
};
