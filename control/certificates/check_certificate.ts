import type { CertificateMaterial } from "../model.ts";
import { CertificateError } from "./certificate_error.ts";
import { readChain } from "./certificate_chain.ts";
import { coversName } from "./covers_name.ts";
import type { ParsedCertificate } from "./parsed_certificate.ts";
import { readPrivateKey } from "./private_key.ts";

/** What somebody wants to serve with: PEM texts. */
export interface CertificateInput {
  /** In any order; private keys in it are ignored. */
  chain: string;
  privateKey: string;
  /** The only name it may be served for: `a.example.com`, or a wildcard. Without: all that it names. */
  domain?: string;
}

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
/** Wildcards only as the whole left-most label (RFC 9525 §6.3). */
const NAME = new RegExp(`^(?=.{1,253}$)(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);
const BROKEN_HASHES = new Set(["SHA-1", "MD5", "MD2"]);
const MAX_LISTED_NAMES = 5;

/**
 * Checks whether visitors can be served with a certificate: that it can be read, has its key and its chain, is valid now and
 * for servers, is of a kind that browsers and this TLS take, and covers the domain.
 *
 * @throws {CertificateError} when not
 */
export async function checkCertificate(
  { chain, privateKey, domain }: CertificateInput,
  now: Date = new Date(),
): Promise<CertificateMaterial> {
  const key = readPrivateKey(privateKey);
  const certificates = await readChain(chain, key.publicKey);
  const leaf = certificates[0]!;
  for (const certificate of certificates) checkLink(certificate, certificate === leaf, now);
  const material: CertificateMaterial = {
    names: servedNames(leaf, domain),
    chain: certificates.map(({ pem }) => pem).join(""),
    privateKey: key.pem,
    cipher: key.cipher,
    notBefore: leaf.notBefore.toISOString(),
    expiresAt: leaf.notAfter.toISOString(),
  };
  tryToServe(material);
  return material;
}

function checkLink(certificate: ParsedCertificate, isLeaf: boolean, now: Date): void {
  const { title, subject, issuer, notBefore, notAfter, isAuthority, isForServers, signatureHash } =
    certificate;
  // Nobody checks a root that is sent along.
  if (!isLeaf && subject === issuer) return;
  const refuse = (problem: string): never => {
    throw new CertificateError(`that of "${title}" ${problem}`);
  };
  if (notBefore > now) refuse(`is not valid before ${notBefore.toISOString()}; it is ${now.toISOString()}`);
  if (notAfter <= now) refuse(`expired at ${notAfter.toISOString()}; it is ${now.toISOString()}`);
  if (BROKEN_HASHES.has(signatureHash ?? "")) {
    refuse(`is signed with ${signatureHash}, which browsers refuse`);
  }
  if (!isLeaf && !isAuthority) {
    refuse("has signed another, but is not that of a CA (basicConstraints CA:TRUE)");
  }
  if (isLeaf && isForServers === false) refuse("is not for servers (extendedKeyUsage serverAuth)");
}

function servedNames({ names }: ParsedCertificate, domain: string | undefined): string[] {
  const usable = names.filter((name) => NAME.test(name));
  if (usable.length === 0) {
    throw new CertificateError("it is for no hostname: at least one subjectAltName of type DNS is needed");
  }
  if (domain === undefined) return [...new Set(usable)];
  // Other names in it may be of other organizations here.
  if (usable.some((name) => coversName(name, domain))) return [domain];
  const more = usable.length > MAX_LISTED_NAMES ? `, and ${usable.length - MAX_LISTED_NAMES} more` : "";
  const listed = usable.slice(0, MAX_LISTED_NAMES).map((name) => `"${name}"`).join(", ");
  throw new CertificateError(`it does not cover "${domain}": it is for ${listed}${more}`);
}

/** The TLS implementation has rules of its own, such as which critical extensions it knows. */
function tryToServe({ chain, privateKey }: CertificateMaterial): void {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: chain, key: privateKey }).close();
  } catch (cause) {
    throw new CertificateError(`TLS does not take it: ${(cause as Error).message}`, { cause });
  }
}
