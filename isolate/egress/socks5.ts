import { isIPv4 } from "node:net";
import { canonicalAddress } from "./host.ts";
import { ProtocolError } from "./protocol_error.ts";

/** First byte of everything, RFC 1928 §3. */
export const SOCKS_VERSION = 5;

const NO_AUTHENTICATION = 0;
const NO_ACCEPTABLE_METHOD = 0xff;
const CONNECT = 1;
const ATYP_IPV4 = 1;
const ATYP_DOMAIN = 3;
const ATYP_IPV6 = 4;
/** VER, CMD, RSV, ATYP and the first byte of the address. */
const REQUEST_START_BYTES = 5;

/** Replies of RFC 1928 §6. */
export const Reply = {
  succeeded: 0,
  failure: 1,
  notAllowed: 2,
  hostUnreachable: 4,
  refused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
} as const;

/** Why there is no connection. */
export type Refusal = Exclude<typeof Reply[keyof typeof Reply], typeof Reply.succeeded>;

/** What was read, and how many bytes it took. */
export interface Parsed<T> {
  value: T;
  bytes: number;
}

/** A client's second message. */
export interface SocksRequest {
  /** CONNECT, the only command that is supported. */
  connect: boolean;
  /** As it was sent: a name or an address, in any spelling. */
  host: string;
  port: number;
}

/**
 * Reads the method selection (RFC 1928 §3): whether the client goes without authentication. `null` = more has to come.
 *
 * @throws {ProtocolError}
 */
export function parseGreeting(input: Uint8Array): Parsed<boolean> | null {
  const [version, count] = input;
  if (version !== undefined && version !== SOCKS_VERSION) throw new ProtocolError("not SOCKS version 5");
  if (count === undefined) return null;
  if (count === 0) throw new ProtocolError("no authentication method");
  const bytes = 2 + count;
  if (input.length < bytes) return null;
  return { value: input.subarray(2, bytes).includes(NO_AUTHENTICATION), bytes };
}

/** The answer to the method selection. */
export function encodeMethod(noAuthentication: boolean): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(SOCKS_VERSION, noAuthentication ? NO_AUTHENTICATION : NO_ACCEPTABLE_METHOD);
}

/**
 * Reads a request (RFC 1928 §4). `null` = more has to come.
 *
 * @throws {ProtocolError}
 */
export function parseRequest(input: Uint8Array): Parsed<SocksRequest> | null {
  const [version, command, reserved, addressType, first] = input;
  if (version !== undefined && version !== SOCKS_VERSION) throw new ProtocolError("not SOCKS version 5");
  if (command !== undefined && (command < 1 || command > 3)) throw new ProtocolError("unknown command");
  if (reserved !== undefined && reserved !== 0) throw new ProtocolError("reserved byte is not 0");
  if (addressType === undefined) return null;
  let start = REQUEST_START_BYTES - 1;
  let end;
  if (addressType === ATYP_IPV4) end = start + 4;
  else if (addressType === ATYP_IPV6) end = start + 16;
  else if (addressType !== ATYP_DOMAIN) throw new ProtocolError("unknown address type");
  else {
    if (first === undefined) return null;
    if (first === 0) throw new ProtocolError("empty domain name");
    start = REQUEST_START_BYTES;
    end = start + first;
  }
  const bytes = end + 2;
  if (input.length < bytes) return null;
  const host = decodeHost(addressType, input.subarray(start, end));
  const port = input[end]! << 8 | input[end + 1]!;
  return { value: { connect: command === CONNECT, host, port }, bytes };
}

/** A reply (RFC 1928 §6), with the address that was dialed if one was. */
export function encodeReply(code: number, bound?: Deno.NetAddr): Uint8Array<ArrayBuffer> {
  const address = encodeAddress(bound?.hostname ?? "0.0.0.0");
  const port = bound?.port ?? 0;
  return Uint8Array.of(
    SOCKS_VERSION,
    code,
    0,
    address.length === 4 ? ATYP_IPV4 : ATYP_IPV6,
    ...address,
    port >> 8,
    port & 0xff,
  );
}

function decodeHost(addressType: number, bytes: Uint8Array): string {
  if (addressType === ATYP_DOMAIN) return String.fromCharCode(...bytes);
  if (addressType === ATYP_IPV4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8 | bytes[2 * i + 1]!).toString(16));
  return groups.join(":");
}

function encodeAddress(address: string): number[] {
  if (isIPv4(address)) return address.split(".").map(Number);
  const [head = "", tail] = (canonicalAddress(address) ?? "::").split("::");
  const before = head.split(":").filter(Boolean);
  const after = tail?.split(":").filter(Boolean) ?? [];
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}
