import { isIPv4, isIPv6 } from "node:net";
import { decodeLatin1 } from "../http1/octets.ts";
import { canonicalAddress } from "./address.ts";

/** Of a whole header with all that a proxy adds; the text of version 1 has at most 107. */
export const MAX_PROXY_HEADER_BYTES = 4096;

/** Version 1 is a line of text, version 2 begins with this. */
const SIGNATURE_2 = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);
const PREFIX_1 = new TextEncoder().encode("PROXY ");
const MAX_LINE_BYTES = 107;
const FIXED_BYTES_2 = 16;
const MAX_PORT = 65535;
const LF = 0x0a;
const LINE =
  /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (\d{1,5}) (\d{1,5}))\r\n$/;

/** The commands, and the families with their transports, that version 2 knows. */
const COMMAND = { local: 0x20, proxy: 0x21 } as const;
const TCP4 = 0x11;
const TCP6 = 0x21;
const OTHER_FAMILIES: ReadonlySet<number> = new Set([0x00, 0x12, 0x22, 0x31, 0x32]);

/** What a proxy said of a connection. */
export interface ProxyHeader {
  /** In bytes. */
  length: number;
  /** Whom it accepted; `null` = itself, or somebody without an IP address. */
  source: { hostname: string; port: number } | null;
}

/** Reads the header of the PROXY protocol, version 1 or 2 (haproxy's proxy-protocol.txt), with which `bytes` begin. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | "incomplete" | "malformed" {
  if (beginsAs(SIGNATURE_2, bytes)) return readBinary(bytes);
  return beginsAs(PREFIX_1, bytes) ? readLine(bytes) : "malformed";
}

function beginsAs(start: Uint8Array, bytes: Uint8Array): boolean {
  const length = Math.min(start.length, bytes.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== start[i]) return false;
  return true;
}

function readLine(bytes: Uint8Array): ProxyHeader | "incomplete" | "malformed" {
  const length = bytes.subarray(0, MAX_LINE_BYTES).indexOf(LF) + 1;
  if (length === 0) return bytes.length < MAX_LINE_BYTES ? "incomplete" : "malformed";
  const match = LINE.exec(decodeLatin1(bytes, 0, length));
  if (match === null) return "malformed";
  const [, family, source = "", destination = "", sourcePort, destinationPort] = match;
  if (family === undefined) return { length, source: null };
  const isOfFamily = family === "4" ? isIPv4 : isIPv6;
  const port = Number(sourcePort);
  if (!isOfFamily(source) || !isOfFamily(destination)) return "malformed";
  if (port > MAX_PORT || Number(destinationPort) > MAX_PORT) return "malformed";
  return { length, source: { hostname: canonicalAddress(source), port } };
}

function readBinary(bytes: Uint8Array): ProxyHeader | "incomplete" | "malformed" {
  if (bytes.length < FIXED_BYTES_2) return "incomplete";
  const command = bytes[12];
  const family = bytes[13]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = FIXED_BYTES_2 + view.getUint16(14);
  if (command !== COMMAND.local && command !== COMMAND.proxy) return "malformed";
  if (length > MAX_PROXY_HEADER_BYTES) return "malformed";
  if (length > bytes.length) return "incomplete";
  if (command === COMMAND.local) return { length, source: null };
  if (family !== TCP4 && family !== TCP6) {
    return OTHER_FAMILIES.has(family) ? { length, source: null } : "malformed";
  }
  const addressBytes = family === TCP4 ? 4 : 16;
  const portAt = FIXED_BYTES_2 + 2 * addressBytes;
  if (length < portAt + 4) return "malformed";
  const address = bytes.subarray(FIXED_BYTES_2, FIXED_BYTES_2 + addressBytes);
  return { length, source: { hostname: addressOf(address), port: view.getUint16(portAt) } };
}

function addressOf(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => (octets[2 * i]! << 8 | octets[2 * i + 1]!).toString(16));
  return canonicalAddress(groups.join(":"));
}
