import { join } from "node:path";
import type { CertificateMaterial } from "../model.ts";
import { CertificateError } from "./certificate_error.ts";
import { NAME_CONSTRAINTS, nameConstraints } from "./name_constraints.ts";
import { writePem } from "./pem.ts";
import { loadX509 } from "./x509.ts";

type X509 = typeof import("@peculiar/x509");

/** Where a {@linkcode LocalCa} is kept, and what it is for. */
export interface LocalCaOptions {
  /** Made when it is not there. */
  folder: string;
  /** It signs for this name, for `localhost`, and for what is below them: nothing else, whoever gets hold of its key. */
  baseDomain: string;
}

const CERTIFICATE_FILE = "ca.pem";
const KEY_FILE = "ca.key";
const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
const CA_LIFETIME_DAYS = 3650;
/** Below the 398 days of Chromium and the 825 of Apple. */
const LIFETIME_DAYS = 90;
/** Clocks differ. */
const BACKDATED_MS = 60 * 60_000;
const MAX_COMMON_NAME_LENGTH = 64;

/** A certificate authority of this machine, for names that no other signs for. */
export class LocalCa {
  readonly #x509: X509;
  readonly #key: CryptoKey;
  readonly #certificate: InstanceType<X509["X509Certificate"]>;

  /** Use {@linkcode openLocalCa}. */
  constructor(
    x509: X509,
    /** Lower case. */
    readonly baseDomain: string,
    /** Where its certificate is (PEM), which browsers are to trust. */
    readonly certificatePath: string,
    certificate: InstanceType<X509["X509Certificate"]>,
    key: CryptoKey,
  ) {
    this.#x509 = x509;
    this.#certificate = certificate;
    this.#key = key;
  }

  /** What it is called, in trust stores too: another CA has another name. */
  get name(): string {
    return this.#certificate.subjectName.getField("CN")[0]!;
  }

  /** PEM. */
  get certificate(): string {
    return this.#certificate.toString("pem");
  }

  /** Whether it will be there when what it issues expires, and some time after. */
  get isLasting(): boolean {
    return this.#certificate.notAfter.getTime() > Date.now() + 2 * LIFETIME_DAYS * DAY_MS;
  }

  /** Whether it may sign for a name, lower case. */
  permits(hostname: string): boolean {
    return permittedNames(this.baseDomain).some((name) => hostname === name || hostname.endsWith(`.${name}`));
  }

  /** A certificate for names, lower case, at or below those of the CA: others do not verify. */
  async issue(names: readonly [string, ...string[]]): Promise<CertificateMaterial> {
    const { X509CertificateGenerator, ...x509 } = this.#x509;
    const { publicKey, privateKey } = await crypto.subtle.generateKey(KEY_ALGORITHM, true, [
      "sign",
      "verify",
    ]);
    const now = Date.now();
    const issued = await X509CertificateGenerator.create({
      subject: [{ CN: [names[0].slice(0, MAX_COMMON_NAME_LENGTH)] }],
      issuer: this.#certificate.subject,
      notBefore: new Date(now - BACKDATED_MS),
      notAfter: new Date(now + LIFETIME_DAYS * DAY_MS),
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: KEY_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns" as const, value }))),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate),
      ],
    });
    return {
      names: [...names],
      chain: `${issued.toString("pem")}\n`,
      privateKey: await exportKey(privateKey),
      cipher: "ec",
      notBefore: issued.notBefore.toISOString(),
      expiresAt: issued.notAfter.toISOString(),
    };
  }
}

/**
 * Opens the CA of a folder and a domain, or makes it. One that will expire is replaced by a new one, to be trusted anew.
 *
 * @throws {CertificateError} when its files cannot be used
 */
export async function openLocalCa({ folder, baseDomain }: LocalCaOptions): Promise<LocalCa> {
  const x509 = await loadX509();
  const ownFolder = join(folder, baseDomain);
  const kept = await readCa(x509, ownFolder, baseDomain);
  if (kept?.isLasting) return kept;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const made = await Deno.makeTempDir({ dir: folder, prefix: ".new-" });
  try {
    await makeCa(x509, made, baseDomain);
    if (kept) await Deno.remove(ownFolder, { recursive: true });
    await Deno.rename(made, ownFolder);
  } catch (error) {
    await Deno.remove(made, { recursive: true });
    // Another process may have been faster: the first one stays.
    const other = await readCa(x509, ownFolder, baseDomain);
    if (!other?.isLasting) throw error;
    return other;
  }
  return (await readCa(x509, ownFolder, baseDomain))!;
}

async function makeCa(x509: X509, folder: string, baseDomain: string): Promise<void> {
  const keys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const certificate = await selfSign(x509, keys, baseDomain);
  await Deno.writeTextFile(join(folder, KEY_FILE), await exportKey(keys.privateKey), { mode: 0o600 });
  await Deno.writeTextFile(join(folder, CERTIFICATE_FILE), `${certificate.toString("pem")}\n`, {
    mode: 0o644,
  });
}

/** `undefined` = there is none. */
async function readCa(x509: X509, folder: string, baseDomain: string): Promise<LocalCa | undefined> {
  const certificatePath = join(folder, CERTIFICATE_FILE);
  try {
    const certificate = new x509.X509Certificate(await Deno.readTextFile(certificatePath));
    const pkcs8 = x509.PemConverter.decodeFirst(await Deno.readTextFile(join(folder, KEY_FILE)));
    const key = await crypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]);
    return new LocalCa(x509, baseDomain, certificatePath, certificate, key);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    const problem = `it cannot be read (${(cause as Error).message}); without "${folder}" a new one is made`;
    throw new CertificateError(problem, { subject: `"${certificatePath}"`, cause });
  }
}

function permittedNames(baseDomain: string): string[] {
  return [...new Set(["localhost", baseDomain])];
}

async function selfSign(x509: X509, keys: CryptoKeyPair, baseDomain: string) {
  const fingerprint = await crypto.subtle.digest(
    "SHA-256",
    await crypto.subtle.exportKey("spki", keys.publicKey),
  );
  const name = `Isola local CA ${new Uint8Array(fingerprint, 0, 4).toHex()}`;
  const now = Date.now();
  return await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ["Isola"] }, { CN: [name] }],
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + CA_LIFETIME_DAYS * DAY_MS),
    keys,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.Extension(NAME_CONSTRAINTS, true, nameConstraints(permittedNames(baseDomain))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
}

async function exportKey(key: CryptoKey): Promise<string> {
  return writePem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}
