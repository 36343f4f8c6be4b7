import type { ByteBuffer } from "./byte_buffer.ts";

/** Ids drawn from the system at once; a call for every request costs ten times as much. */
const BLOCK_BYTES = 24 * 256;
const TRACE_ID_BYTES = 16;
const PARENT_ID_BYTES = 8;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

const block = new Uint8Array(BLOCK_BYTES);
let used = BLOCK_BYTES;

/** Writes the trace fields of a request: a valid trace goes on with its state, else a new one begins. */
export function writeTrace(
  { traceparent, tracestate }: { traceparent: string | null; tracestate: string | null },
  out: ByteBuffer,
): void {
  if (traceparent === null || !isTraceparent(traceparent)) return writeNewTrace(out);
  if (tracestate !== null) out.text(`tracestate: ${tracestate}\r\n`);
  out.text(`traceparent: ${traceparent}\r\n`);
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

/** Whether a `traceparent` may be passed on. Version 00 has exactly four fields; later ones may have more. */
function isTraceparent(value: string): boolean {
  const match = TRACEPARENT.exec(value);
  return match !== null && (match[1] === undefined || !value.startsWith("00"));
}
