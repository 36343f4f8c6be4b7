/** What visitors may take of a runner. Times in milliseconds, sizes in bytes; past one, the connection or the request ends. */
export interface VisitorLimits {
  /** From the connection to the end of the TLS handshake; a PROXY header has to be whole by then, too. */
  handshakeTimeoutMs: number;
  /** From the connection, or the first byte of a later request, to the whole head of a request. */
  headerTimeoutMs: number;
  /** Between two requests of a connection. */
  keepAliveTimeoutMs: number;
  /** Without a byte in either direction while a request is under way, an upload that its app does not read included. */
  silenceTimeoutMs: number;
  /** While a visitor does not take what is sent to it. */
  writeTimeoutMs: number;
  /** Of a request's body, on average, counted only while it is waited for and there is no response yet. */
  minBodyBytesPerSecond: number;
  /** Before that rate is asked for. */
  bodyGraceMs: number;
  /** Of a whole request head. */
  maxHeaderBytes: number;
  maxUriBytes: number;
  /** 0 = any. */
  maxBodyBytes: number;
  /** In all, on this machine. */
  maxConnections: number;
  /** Of one IPv4 address, or one IPv6 network of 64 bits. */
  maxConnectionsPerAddress: number;
  /** Then the connection ends in an orderly way. */
  maxRequestsPerConnection: number;
  /** HTTP/2: streams that are open at once on one connection. */
  maxStreams: number;
  /** HTTP/2: streams that the visitor reset, within a window of 30 s. */
  maxStreamResets: number;
  /** HTTP/2: frames that carry nothing for a request (PING, SETTINGS, PRIORITY, empty DATA, …), within a window of 30 s. */
  maxControlFrames: number;
}

/** Of a machine whose operator says nothing else. */
export const DEFAULT_VISITOR_LIMITS: VisitorLimits = {
  handshakeTimeoutMs: 10_000,
  headerTimeoutMs: 15_000,
  keepAliveTimeoutMs: 60_000,
  silenceTimeoutMs: 300_000,
  writeTimeoutMs: 60_000,
  minBodyBytesPerSecond: 256,
  bodyGraceMs: 20_000,
  maxHeaderBytes: 64 * 1024,
  maxUriBytes: 32 * 1024,
  maxBodyBytes: 0,
  maxConnections: 16_384,
  maxConnectionsPerAddress: 4096,
  maxRequestsPerConnection: 100_000,
  maxStreams: 128,
  maxStreamResets: 256,
  maxControlFrames: 2048,
};
