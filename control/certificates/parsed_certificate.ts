import { CertificateError } from "./certificate_error.ts";
import { decodeBlock, type PemBlock, writePem } from "./pem.ts";
import { loadX509 } from "./x509.ts";

/** What one certificate says (RFC 5280). */
export interface ParsedCertificate {
  /** Whose it is, for messages. */
  title: string;
  /** Distinguished names, as text. */
  subject: string;
  issuer: string;
  notBefore: Date;
  notAfter: Date;
  /** The names of a server (`dNSName`), lower case, as they stand there. */
  names: string[];
  isAuthority: boolean;
  /** `undefined` = for whatever it may be used. */
  isForServers: boolean | undefined;
  /** Where the certificate of the issuer is to be had, as public CAs say. */
  issuerUrl: string | undefined;
  /** The hash that was signed, such as `SHA-256`; `undefined` = of another kind. */
  signatureHash: string | undefined;
  /** SubjectPublicKeyInfo in DER. */
  publicKey: Uint8Array<ArrayBuffer>;
  pem: string;
  /** Whether its signature is by the key of the other. */
  isSignedBy(issuer: ParsedCertificate): Promise<boolean>;
}

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/**
 * Reads one certificate.
 *
 * @throws {CertificateError} when it is not one
 */
export async function parseCertificate(block: PemBlock): Promise<ParsedCertificate> {
  const der = decodeBlock(block);
  const x509 = await loadX509();
  try {
    const certificate = new x509.X509Certificate(der);
    const alternatives = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const usages = certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages;
    const { subject, issuer, notBefore, notAfter, signatureAlgorithm } = certificate;
    if (!Number.isFinite(notBefore.getTime()) || !Number.isFinite(notAfter.getTime())) {
      throw new RangeError("date");
    }
    const names = alternatives.filter(({ type }) => type === "dns").map(({ value }) => value.toLowerCase());
    return {
      title: subject || names[0] || `serial number ${certificate.serialNumber}`,
      subject,
      issuer,
      notBefore,
      notAfter,
      names,
      isAuthority: certificate.getExtension(x509.BasicConstraintsExtension)?.ca ?? false,
      isForServers: usages?.some((usage) => usage === SERVER_AUTH),
      issuerUrl: certificate.getExtension(x509.AuthorityInfoAccessExtension)?.caIssuers[0]?.value,
      signatureHash: "hash" in signatureAlgorithm ? signatureAlgorithm.hash.name : undefined,
      publicKey: new Uint8Array(certificate.publicKey.rawData),
      pem: writePem("CERTIFICATE", new Uint8Array(certificate.rawData)),
      async isSignedBy({ subject, publicKey }) {
        if (subject !== issuer) return false;
        try {
          return await certificate.verify({ publicKey: new x509.PublicKey(publicKey), signatureOnly: true });
        } catch {
          return false; // By an algorithm that is not known here.
        }
      },
    };
  } catch (cause) {
    throw new CertificateError("a block CERTIFICATE cannot be read as one", { cause });
  }
}
