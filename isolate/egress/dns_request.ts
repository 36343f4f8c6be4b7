import type { Parsed } from "./socks5.ts";
import { ProtocolError } from "./protocol_error.ts";

/** First byte of the request, which tells it from SOCKS. */
export const DNS_REQUEST_START = "{".charCodeAt(0);
/** Of the whole line. */
export const MAX_DNS_REQUEST_BYTES = 1024;

/** Types that may be asked for, besides A and AAAA. */
export type RecordType = Exclude<Deno.RecordType, "A" | "AAAA" | "ANAME" | "NAPTR">;

/** One question of a sandbox. */
export interface DnsRequest {
  /** As it was sent. */
  name: string;
  /** As it was sent, so possibly none of the types that there are. */
  type: string;
}

/** Why there are no records, by the names that node:dns has. */
export type DnsErrorCode = "ENOTFOUND" | "EREFUSED" | "ETIMEOUT" | "EBADQUERY";

/** What a sandbox is told. */
export type DnsAnswer =
  /** As `Deno.resolveDns` returns them for the type. */
  | { records: readonly unknown[] }
  | { error: { code: DnsErrorCode; message: string } };

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Reads `{"resolve":{"name":…,"type":…}}` and its newline. `null` = more has to come.
 *
 * @throws {ProtocolError}
 */
export function parseDnsRequest(input: Uint8Array): Parsed<DnsRequest> | null {
  const end = input.subarray(0, MAX_DNS_REQUEST_BYTES).indexOf(0x0a);
  if (end === -1) {
    if (input.length < MAX_DNS_REQUEST_BYTES) return null;
    throw new ProtocolError(`line over ${MAX_DNS_REQUEST_BYTES} bytes`);
  }
  let message;
  try {
    message = JSON.parse(decoder.decode(input.subarray(0, end)));
  } catch (cause) {
    throw new ProtocolError("line that is not JSON", { cause });
  }
  const { name, type } = message?.resolve ?? {};
  if (typeof name !== "string" || typeof type !== "string") throw new ProtocolError("unknown request");
  return { value: { name, type }, bytes: end + 1 };
}

/** The answer as its line. */
export function encodeDnsAnswer(answer: DnsAnswer): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(answer) + "\n");
}
