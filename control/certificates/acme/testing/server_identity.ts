import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const KEY = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const LIFETIME_MS = 24 * 3600_000;

/** A TLS server on 127.0.0.1 and the authority that it is trusted by. All PEM. */
export interface ServerIdentity {
  ca: string;
  cert: string;
  key: string;
}

/** A new authority's certificate for a server on 127.0.0.1. */
export async function serverIdentity(): Promise<ServerIdentity> {
  const dates = { notBefore: new Date(), notAfter: new Date(Date.now() + LIFETIME_MS) };
  const [caKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates,
    name: "CN=Test authority",
    keys: caKeys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const certificate = await x509.X509CertificateGenerator.create({
    ...dates,
    subject: "CN=Test server",
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  const key = x509.PemConverter.encode(
    await crypto.subtle.exportKey("pkcs8", keys.privateKey),
    "PRIVATE KEY",
  );
  return { ca: ca.toString("pem"), cert: certificate.toString("pem"), key };
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
}
