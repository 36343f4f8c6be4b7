import { run } from "../measures/run.ts";

/** Paths of PEM files. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

const TIMEOUT_MS = 10_000;
const DAYS = 30;

/** Signs a certificate for a hostname by its own key, on P-256 as certificate authorities issue them, and writes both to a folder. */
export async function makeCertificate(directory: string, host: string): Promise<CertificateFiles> {
  const files = { cert: `${directory}/cert.pem`, key: `${directory}/key.pem` };
  await run("openssl", [
    ...["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-days", `${DAYS}`, "-subj", `/CN=${host}`, "-keyout", files.key, "-out", files.cert],
    ...["-addext", `subjectAltName=DNS:${host}`, "-addext", "basicConstraints=critical,CA:FALSE"],
  ], TIMEOUT_MS);
  return files;
}
