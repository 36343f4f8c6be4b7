import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { Subhoster } from "../../contract.ts";

/** What a test's relays sign for. */
export const ACME: Subhoster = {
  id: "acme",
  secrets: ["acme's secret"],
  rpcRoots: ["https://origin.example/v0/", "http://127.0.0.1:9000/"],
  maxConcurrency: 100,
  requestTimeoutMs: 0,
};

/** Another, who has nothing to do with it, and is changing its secret. */
export const ZENITH: Subhoster = {
  ...ACME,
  id: "zenith",
  secrets: ["zenith's secret", "zenith's next secret"],
  rpcRoots: ["https://zenith.example/"],
};

/** How a token differs from a good one of {@linkcode ACME} for its deployment "d1". */
export interface RelayTokenOptions {
  /** `undefined` = it is left out. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  secret?: string;
  /** Of the signature. @default {"sha256"} */
  hash?: string;
  /** In place of the claims. */
  payload?: string;
  /** Unix time in ms of its making. @default {Date.now()} */
  nowMs?: number;
}

/** A token as a relay makes it, by RFC 7515 and without the library that reads it. */
export function relayToken(
  { claims, header, secret = ACME.secrets[0]!, hash = "sha256", payload, nowMs = Date.now() }:
    RelayTokenOptions = {},
): string {
  const iat = Math.floor(nowMs / 1000);
  const said = { deployment_id: "d1", rpc_root: ACME.rpcRoots[0], iat, exp: iat + 900, ...claims };
  const signed = [{ typ: "JWT", alg: "HS256", kid: ACME.id, ...header }, said]
    .map((part, i) => Buffer.from(i === 1 && payload !== undefined ? payload : JSON.stringify(part)))
    .map((part) => part.toString("base64url")).join(".");
  return `${signed}.${createHmac(hash, secret).update(signed).digest("base64url")}`;
}
