import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { CertificateError } from "./certificate_error.ts";
import { decodeBlock, type PemBlock, readPem, writePem } from "./pem.ts";

/** The private key of a certificate, of a kind that can be served with. */
export interface PrivateKey {
  cipher: "rsa" | "ec";
  /** SubjectPublicKeyInfo in DER, as it stands in the certificate. */
  publicKey: Uint8Array;
  /** PEM, PKCS #8. */
  pem: string;
}

const KEY_TYPES: Readonly<Record<string, "pkcs8" | "pkcs1" | "sec1">> = {
  "PRIVATE KEY": "pkcs8",
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
};
/** What the TLS of Deno takes, which is what the Web's certificates have (CA/Browser Forum Baseline Requirements §6.1.5). */
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const CURVES = new Set(["prime256v1", "secp384r1"]);
const ALLOWED = `RSA of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, and ECDSA on P-256 or P-384, are`;

/**
 * Reads the one private key of a PEM text: PKCS #8, PKCS #1 or SEC 1.
 *
 * @throws {CertificateError} when there is none or several, or the key is encrypted, broken or of a kind that browsers do
 * not take
 */
export function readPrivateKey(text: string): PrivateKey {
  const blocks = readPem(text, "the private key");
  const encrypted = blocks.find(({ label, body }) =>
    label.startsWith("ENCRYPTED") || /^Proc-Type:.*ENCRYPTED/m.test(body)
  );
  if (encrypted) {
    throw new CertificateError(
      'the private key is encrypted; decrypt it first, as "openssl pkey -in KEY -out DECRYPTED" does',
    );
  }
  const keys = blocks.filter(({ label }) => label in KEY_TYPES);
  const [key] = keys;
  if (!key) throw new CertificateError(`the private key is missing: ${found(blocks)}`);
  if (keys.length > 1) throw new CertificateError(`there are ${keys.length} private keys; one is allowed`);
  const parsed = parse(key);
  try {
    return {
      cipher: cipherOf(parsed),
      publicKey: createPublicKey(parsed).export({ type: "spki", format: "der" }),
      // To export it would derive the public key once more: a quarter of a millisecond each, of a thousand.
      pem: key.label === "PRIVATE KEY"
        ? writePem(key.label, decodeBlock(key))
        : parsed.export({ type: "pkcs8", format: "pem" }) as string,
    };
  } catch (cause) {
    if (cause instanceof CertificateError) throw cause;
    throw new CertificateError("the private key is broken", { cause });
  }
}

function parse(block: PemBlock): KeyObject {
  const der = decodeBlock(block);
  try {
    return createPrivateKey({ key: Buffer.from(der), format: "der", type: KEY_TYPES[block.label] });
  } catch (cause) {
    throw new CertificateError(`the block ${block.label} has no key that can be read; ${ALLOWED} allowed`, {
      cause,
    });
  }
}

function cipherOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): "rsa" | "ec" {
  const { modulusLength = 0, namedCurve = "" } = details;
  if (type === "rsa" && modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS) return "rsa";
  if (type === "ec" && CURVES.has(namedCurve)) return "ec";
  const size = type === "rsa" ? ` of ${modulusLength} bits` : type === "ec" ? ` on ${namedCurve}` : "";
  throw new CertificateError(`the private key is ${type}${size}; ${ALLOWED} allowed`);
}

/** What was given instead of a private key. */
function found(blocks: readonly PemBlock[]): string {
  const labels = blocks.map(({ label }) => label).filter((label) => !label.endsWith("PARAMETERS"));
  const [label] = labels;
  if (label === undefined) return "no PEM block of one was found";
  if (label.includes("REQUEST")) return "a certificate request was given instead";
  if (label.includes("PUBLIC KEY")) return "a public key was given instead";
  if (label.includes("CERTIFICATE")) return "a certificate was given instead";
  return `PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY is allowed, and ${label} was given`;
}
