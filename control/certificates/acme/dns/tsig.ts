import { createHmac, timingSafeEqual } from "node:crypto";
import {
  ADDITIONAL_COUNT_AT,
  CLASS,
  concat,
  encodeName,
  encodeRecord,
  lastAdditional,
  readUint16,
  TYPE,
  uint16,
} from "./dns_message.ts";

/** A key that a name server shares with us. */
export interface TsigKey {
  name: string;
  /** Base64. */
  secret: string;
  algorithm: "hmac-sha256" | "hmac-sha512";
}

/** A message with its signature. */
export interface SignedMessage {
  message: Uint8Array<ArrayBuffer>;
  /** What the answer's signature is chained to. */
  mac: Uint8Array;
}

/** What an answer says of the signatures. */
export type TsigVerdict =
  | "verified"
  | "missing"
  | "wrong"
  | "badSignature"
  | "badKey"
  | "badTime"
  | "refused";

/** How much the clocks may differ (RFC 8945 §10). */
const FUDGE_S = 300;
/** RFC 8945 §3: what the server says of our signature. */
const ERRORS: Record<number, TsigVerdict> = { 16: "badSignature", 17: "badKey", 18: "badTime" };
const TIME_BYTES = 8;

/**
 * Signs a message that has no additional records (RFC 8945 §5.1).
 *
 * @param now Unix time in ms.
 */
export function signTsig(message: Uint8Array, key: TsigKey, now: number): SignedMessage {
  const time = concat([uint48(Math.floor(now / 1000)), uint16(FUDGE_S)]);
  const mac = hmac(key, [message, variables(key, time, uint16(0), uint16(0))]);
  const data = concat([
    encodeName(key.algorithm),
    time,
    uint16(mac.length),
    mac,
    message.subarray(0, 2),
    uint16(0),
    uint16(0),
  ]);
  const record = encodeRecord({ name: key.name, type: TYPE.TSIG, class: CLASS.ANY, ttl: 0, data });
  const signed = concat([message, record]);
  signed.set(uint16(1), ADDITIONAL_COUNT_AT);
  return { message: signed, mac };
}

/**
 * Whether an answer is signed with the key, as one to the message that had `requestMac` (RFC 8945 §5.3).
 *
 * @throws {RangeError} it is not a DNS message
 */
export function verifyTsig(answer: Uint8Array, key: TsigKey, requestMac: Uint8Array): TsigVerdict {
  const last = lastAdditional(answer);
  if (last?.type !== TYPE.TSIG) return "missing";
  const { data, start } = last;
  const algorithm = encodeName(key.algorithm);
  const time = data.subarray(algorithm.length, algorithm.length + TIME_BYTES);
  const macAt = algorithm.length + TIME_BYTES + 2;
  const macLength = readUint16(data, macAt - 2);
  const mac = data.subarray(macAt, macAt + macLength);
  const error = data.subarray(macAt + macLength + 2, macAt + macLength + 4);
  const other = data.subarray(macAt + macLength + 4);
  const code = readUint16(error, 0);
  if (code !== 0) return ERRORS[code] ?? "refused";
  const unsigned = answer.slice(0, start);
  unsigned.set(uint16(readUint16(answer, ADDITIONAL_COUNT_AT) - 1), ADDITIONAL_COUNT_AT);
  const expected = hmac(key, [
    uint16(requestMac.length),
    requestMac,
    unsigned,
    variables(key, time, error, other),
  ]);
  return mac.length === expected.length && timingSafeEqual(mac, expected) ? "verified" : "wrong";
}

/** What a signature covers beside the message (RFC 8945 §4.3.3). */
function variables(key: TsigKey, time: Uint8Array, error: Uint8Array, other: Uint8Array): Uint8Array {
  const ttl = Uint8Array.of(0, 0, 0, 0);
  const names = [encodeName(key.name), uint16(CLASS.ANY), ttl, encodeName(key.algorithm)];
  return concat([...names, time, error, other]);
}

function hmac(key: TsigKey, parts: readonly Uint8Array[]): Uint8Array {
  const hash = key.algorithm.slice("hmac-".length);
  return createHmac(hash, Uint8Array.fromBase64(key.secret)).update(concat(parts)).digest();
}

function uint48(value: number): Uint8Array {
  return concat([
    uint16(Math.floor(value / 2 ** 32)),
    uint16((value >>> 16) & 0xffff),
    uint16(value & 0xffff),
  ]);
}
