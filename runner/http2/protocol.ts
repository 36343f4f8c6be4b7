/** Frame types (RFC 9113 §6). */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** Flags of frames (RFC 9113 §6). */
export const FLAG = {
  /** Of SETTINGS and PING. */
  ack: 0x1,
  /** Of DATA and HEADERS. */
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** Settings (RFC 9113 §6.5.2). */
export const SETTING = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const;

/** Why a stream or a connection ends (RFC 9113 §7). */
export const ERROR = {
  none: 0x0,
  protocol: 0x1,
  internal: 0x2,
  flowControl: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSize: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compression: 0x9,
  enhanceYourCalm: 0xb,
} as const;

/** One of {@linkcode ERROR}. */
export type ErrorCode = (typeof ERROR)[keyof typeof ERROR];

/** Of a frame, before its payload. */
export const FRAME_HEADER_BYTES = 9;
/** Of a payload: what nobody may refuse, and what we take (RFC 9113 §4.2). */
export const MAX_PAYLOAD_BYTES = 16_384;
/** Of a payload, if a peer takes as much. */
export const MAX_FRAME_SIZE_SETTING = 2 ** 24 - 1;
/** Of a stream identifier, and of a flow-control window in bytes. */
export const MAX_31_BITS = 2 ** 31 - 1;
/** Of a flow-control window, in bytes, before anybody says something else. */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** What an HTTP/2 client sends first (RFC 9113 §3.4). */
export const PREFACE: Readonly<Uint8Array> = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The visitor did not speak HTTP/2. */
export class Http2Error extends Error {
  override name = "Http2Error";

  /** @param streamId 0 = it ends the connection. */
  constructor(readonly code: ErrorCode, what: string, readonly streamId = 0) {
    super(`Cannot read HTTP/2: ${what}`);
  }
}

/** Whether a connection that began with these bytes speaks HTTP/2; "more" = that cannot be told yet. */
export function startsHttp2(received: Uint8Array): "yes" | "no" | "more" {
  const end = Math.min(received.length, PREFACE.length);
  for (let i = 0; i < end; i++) if (received[i] !== PREFACE[i]) return "no";
  return end === PREFACE.length ? "yes" : "more";
}
