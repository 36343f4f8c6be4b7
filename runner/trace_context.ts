/** Ids drawn from the system at once; a call for every request costs ten times as much. */
const BLOCK_BYTES = 24 * 256;
const TRACE_ID_BYTES = 16;
const PARENT_ID_BYTES = 8;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

const block = new Uint8Array(BLOCK_BYTES);
let used = BLOCK_BYTES;

function randomHex(bytes: number): string {
  if (used + bytes > BLOCK_BYTES) {
    crypto.getRandomValues(block);
    used = 0;
  }
  let text = "";
  for (const end = used + bytes; used < end; used++) text += HEX[block[used]!];
  return text;
}

/** A new `traceparent` (W3C Trace Context §3.2), sampled, since nothing upstream of the edge decided otherwise. */
export function newTraceparent(): string {
  return `00-${randomHex(TRACE_ID_BYTES)}-${randomHex(PARENT_ID_BYTES)}-01`;
}

/** Whether a `traceparent` may be passed on. Version 00 has exactly four fields; later ones may have more. */
export function isTraceparent(value: string): boolean {
  const match = TRACEPARENT.exec(value);
  return match !== null && (match[1] === undefined || !value.startsWith("00"));
}
