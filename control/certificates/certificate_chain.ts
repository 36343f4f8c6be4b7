import { CertificateError } from "./certificate_error.ts";
import { parseCertificate, type ParsedCertificate } from "./parsed_certificate.ts";
import { readPem } from "./pem.ts";

const MAX_CERTIFICATES = 10;

/**
 * Reads the certificates of a PEM text and puts them in order: that of the key first, each signed by the next.
 *
 * @param publicKey SubjectPublicKeyInfo in DER.
 * @throws {CertificateError} when one cannot be read, none is for the key, or one does not belong to the chain
 */
export async function readChain(text: string, publicKey: Uint8Array): Promise<ParsedCertificate[]> {
  const given = await readCertificates(text);
  const leaf = given.find((certificate) => isSame(certificate.publicKey, publicKey));
  if (!leaf) {
    throw new CertificateError(`the private key is not that of the certificate of "${given[0]!.title}"`);
  }
  if (leaf.isAuthority) {
    throw new CertificateError(
      `the private key is that of "${leaf.title}", a CA (basicConstraints CA:TRUE); that of a server is needed`,
    );
  }
  const chain = [leaf];
  const rest = new Set(given);
  rest.delete(leaf);
  for (let next = await issuerOf(leaf, rest); next; next = await issuerOf(next, rest)) {
    rest.delete(next);
    chain.push(next);
  }
  const last = chain.at(-1)!;
  for (const { title } of rest) {
    throw new CertificateError(
      `"${title}" does not belong to the chain: after "${last.title}" comes its issuer, "${last.issuer}", or nothing`,
    );
  }
  if (chain.length === 1 && leaf.issuerUrl !== undefined) {
    throw new CertificateError(
      `the chain ends after the first; that of its issuer, "${leaf.issuer}", is at "${leaf.issuerUrl}"`,
    );
  }
  return chain;
}

/** Each once. */
async function readCertificates(text: string): Promise<ParsedCertificate[]> {
  const blocks = readPem(text, "the chain").filter(({ label }) => !/(KEY|PARAMETERS)$/.test(label));
  const stranger = blocks.find(({ label }) => label !== "CERTIFICATE");
  if (stranger?.label.includes("REQUEST")) {
    throw new CertificateError("a certificate request was given; what the CA answered to it is needed");
  }
  if (stranger) throw new CertificateError(`CERTIFICATE blocks are allowed, and ${stranger.label} was given`);
  if (blocks.length === 0) throw new CertificateError("no PEM block CERTIFICATE was found");
  if (blocks.length > MAX_CERTIFICATES) {
    throw new CertificateError(
      `the chain has ${blocks.length} certificates; ${MAX_CERTIFICATES} are allowed`,
    );
  }
  const byPem = new Map<string, ParsedCertificate>();
  for (const block of blocks) {
    const certificate = await parseCertificate(block);
    byPem.set(certificate.pem, certificate);
  }
  return [...byPem.values()];
}

async function issuerOf(
  certificate: ParsedCertificate,
  candidates: Iterable<ParsedCertificate>,
): Promise<ParsedCertificate | undefined> {
  for (const candidate of candidates) {
    if (await certificate.isSignedBy(candidate)) return candidate;
  }
  return undefined;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
