/** What the server's main thread and the egress proxy's thread say to each other. */

/** Bytes and connections of one sandbox since it was opened. */
export interface EgressUsage {
  id: string;
  /** Payload from the world to the sandbox. */
  ingressBytes: number;
  /** Payload from the sandbox to the world. */
  egressBytes: number;
  /** That were made. */
  connections: number;
  /** Connections and questions that were not allowed, by policy or because there were too many. */
  refused: number;
}

/** What the machine's operator says of egress. */
export interface EgressOptions {
  /**
   * "host:port" or "host" (any port): targets that sandboxes may reach though they are private, the machine itself
   * included. A deployment's `permissions.net` has to cover them as well.
   */
  allowPrivate: readonly string[];
}

/** Where a deployment may connect to: `true` = every public target. */
export type Net = true | readonly string[];

/** To the proxy's thread. */
export type ToEgress =
  | { type: "start"; options: EgressOptions }
  | { type: "open"; requestId: number; id: string; socketPath: string }
  | { type: "allow"; id: string; net: Net }
  | { type: "close"; requestId: number; id: string }
  | { type: "usage"; requestId: number };

/** From the proxy's thread. */
export type FromEgress =
  | { type: "done"; requestId: number; usage: EgressUsage[] }
  | { type: "failed"; requestId: number; message: string };
