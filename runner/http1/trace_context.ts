import type { ByteBuffer } from "./byte_buffer.ts";
import type { TraceContext } from "../contract.ts";

/** Ids drawn from the system at once; a call for every request costs ten times as much. */
const BLOCK_BYTES = 24 * 256;
const TRACE_ID_BYTES = 16;
const PARENT_ID_BYTES = 8;
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

const block = new Uint8Array(BLOCK_BYTES);
let used = BLOCK_BYTES;

/** The trace fields of a request, as they came; `null` = not at all. */
export interface TraceFields {
  traceparent: string | null;
  tracestate: string | null;
}

/**
 * Writes the trace fields of a request: a valid trace goes on with its state, else a new one begins.
 *
 * @param ours What the isolate is a part of; `null` = of what the visitor said, since there is nothing between.
 */
export function writeTrace(
  { traceparent, tracestate }: TraceFields,
  out: ByteBuffer,
  ours: TraceContext | null = null,
): void {
  const goesOn = traceparent !== null && matchTraceparent(traceparent) !== null;
  if (goesOn && tracestate !== null) out.text(`tracestate: ${tracestate}\r\n`);
  if (ours !== null) out.text(`traceparent: ${traceparentOf(ours)}\r\n`);
  else if (goesOn) out.text(`traceparent: ${traceparent}\r\n`);
  else writeNewTrace(out);
}

/** What a `traceparent` says (W3C Trace Context §3.2); `null` = nothing, as it is none. */
export function readTraceparent(value: string): TraceContext | null {
  const match = matchTraceparent(value);
  return match && { traceId: match[2]!, spanId: match[3]!, traceFlags: parseInt(match[4]!, 16) };
}

function traceparentOf({ traceId, spanId, traceFlags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** Writes a new `traceparent` line (W3C Trace Context §3.2), sampled, since nothing before the edge decided otherwise. */
function writeNewTrace(out: ByteBuffer): void {
  if (used === BLOCK_BYTES) {
    crypto.getRandomValues(block);
    used = 0;
  }
  out.text("traceparent: 00-");
  out.hex(block, used, used + TRACE_ID_BYTES);
  used += TRACE_ID_BYTES;
  out.text("-");
  out.hex(block, used, used + PARENT_ID_BYTES);
  used += PARENT_ID_BYTES;
  out.text("-01\r\n");
}

/** Version 00 has exactly four fields; later ones may have more. */
function matchTraceparent(value: string): RegExpExecArray | null {
  const match = TRACEPARENT.exec(value);
  return match !== null && (match[5] === undefined || match[1] !== "00") ? match : null;
}
