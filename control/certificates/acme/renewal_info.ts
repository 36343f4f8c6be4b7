import { loadX509 } from "../x509.ts";
import { AcmeError } from "./acme_error.ts";
import type { AcmeResponse } from "./acme_transport.ts";
import { Answer } from "./answer.ts";

/** When a server suggests that a certificate is renewed (RFC 9773 §4.2). Unix times in ms. */
export interface RenewalInfo {
  start: number;
  end: number;
  /** It does not want to be asked again earlier; `null` = it does not say. */
  retryAfterMs: number | null;
}

const END = "-----END CERTIFICATE-----";

/**
 * The identifier of a certificate (RFC 9773 §4.1).
 *
 * @param chain PEM, the leaf first.
 * @returns `null` if it does not name its issuer's key.
 */
export async function certificateIdOf(chain: string): Promise<string | null> {
  const { AuthorityKeyIdentifierExtension, X509Certificate } = await loadX509();
  const leaf = new X509Certificate(chain.slice(0, chain.indexOf(END) + END.length));
  const keyId = leaf.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId === undefined) return null;
  return `${base64url(keyId)}.${base64url(derInteger(leaf.serialNumber))}`;
}

/** @throws {AcmeError} `badAnswer` if there is no window */
export function readRenewalInfo({ text, retryAfterMs }: AcmeResponse): RenewalInfo {
  const window = Answer.parse(text).object("suggestedWindow");
  const start = Date.parse(window?.optionalText("start") ?? "");
  const end = Date.parse(window?.optionalText("end") ?? "");
  if (start < end) return { start, end, retryAfterMs };
  const detail = "it suggests no time to renew in";
  throw new AcmeError(`Cannot understand the answer of the ACME server: ${detail}`, {
    type: "badAnswer",
    detail,
  });
}

/** The content of a positive INTEGER in DER (X.690 §8.3): its first bit is 0. */
function derInteger(hex: string): string {
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even;
}

function base64url(hex: string): string {
  return Uint8Array.fromHex(hex).toBase64({ alphabet: "base64url", omitPadding: true });
}
