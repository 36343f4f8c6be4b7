import { loadX509 } from "../x509.ts";
import { writePem } from "../pem.ts";

/** A certificate and its key. */
export interface Issued {
  /** PEM of the certificate alone. */
  certificate: string;
  /** PEM, PKCS #8. */
  privateKey: string;
  subject: string;
  keys: CryptoKeyPair;
}

/** What to issue; whatever is not said is as it should be. */
export interface IssueOptions {
  subject?: string;
  names?: readonly string[];
  addresses?: readonly string[];
  /** `undefined` = self-signed. */
  issuer?: Issued;
  isAuthority?: boolean;
  /** Unix times in ms. */
  notBefore?: number;
  notAfter?: number;
  algorithm?: EcKeyGenParams | RsaHashedKeyGenParams | { name: "Ed25519" };
  /** With which the issuer signs; if that has an RSA key, the hash of the key. */
  hash?: string;
  /** OIDs. */
  extendedKeyUsage?: readonly string[];
  issuerUrl?: string;
}

const HOUR_MS = 3_600_000;
const P256 = { name: "ECDSA", namedCurve: "P-256" };

/** Issues a certificate, for tests. */
export async function issue(options: IssueOptions): Promise<Issued> {
  const { X509CertificateGenerator, ...x509 } = await loadX509();
  const { subject = "CN=test", issuer, names = [], addresses = [], isAuthority = false } = options;
  const { notBefore = Date.now() - HOUR_MS, notAfter = Date.now() + 24 * HOUR_MS, hash = "SHA-256" } =
    options;
  const keys = await crypto.subtle.generateKey(options.algorithm ?? P256, true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const signer = issuer?.keys ?? keys;
  const alternatives = [
    ...names.map((value) => ({ type: "dns" as const, value })),
    ...addresses.map((value) => ({ type: "ip" as const, value })),
  ];
  const { extendedKeyUsage, issuerUrl } = options;
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    // The salt is of RSA-PSS.
    signingAlgorithm: { ...signer.privateKey.algorithm, hash, saltLength: 32 } as EcdsaParams & RsaPssParams,
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
      ...(extendedKeyUsage ? [new x509.ExtendedKeyUsageExtension([...extendedKeyUsage])] : []),
      ...(issuerUrl ? [new x509.AuthorityInfoAccessExtension({ caIssuers: [issuerUrl] })] : []),
    ],
  });
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: writePem("PRIVATE KEY", pkcs8),
    subject,
    keys,
  };
}
