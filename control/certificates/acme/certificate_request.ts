import { loadX509 } from "../x509.ts";

/** A key of its own for each certificate, and the request that it is signed with. */
export interface CertificateRequest {
  /** PKCS #10, DER in base64url: as RFC 8555 §7.4 wants it. */
  csr: string;
  /** PEM (PKCS #8). */
  privateKey: string;
}

const KEY = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** For any number of names: a P-256 key and the request of a certificate for it. */
export async function newCertificateRequest(names: readonly string[]): Promise<CertificateRequest> {
  const x509 = await loadX509();
  const keys = await crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: KEY,
    extensions: [
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns" as const, value }))),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    csr: new Uint8Array(request.rawData).toBase64({ alphabet: "base64url", omitPadding: true }),
    privateKey: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
  };
}
