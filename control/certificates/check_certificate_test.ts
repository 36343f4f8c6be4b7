import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { CertificateError } from "./certificate_error.ts";
import { checkCertificate } from "./check_certificate.ts";
import { decodeBlock, readPem, writePem } from "./pem.ts";
import { issue, type IssueOptions } from "./testing/issue.ts";

const DAY_MS = 86_400_000;
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** It takes 3 ms; the machine may be busy. */
const MAX_CHECK_MS = 5000;
const P384 = { name: "ECDSA", namedCurve: "P-384" };
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: "SHA-256",
};

const root = await issue({ subject: "CN=Root", isAuthority: true });
const intermediate = await issue({ subject: "CN=Intermediate", isAuthority: true, issuer: root });
const site = await issueSite({});

/** A certificate of "a.test" and what is below. */
function issueSite(options: IssueOptions) {
  return issue({
    subject: "CN=Site",
    names: ["a.test", "*.a.test"],
    issuer: intermediate,
    extendedKeyUsage: [SERVER_AUTH],
    ...options,
  });
}

function check(options: { chain?: string; privateKey?: string; domain?: string }) {
  const { chain = site.certificate + intermediate.certificate, privateKey = site.privateKey, domain } =
    options;
  return checkCertificate({ chain, privateKey, domain });
}

async function refuses(input: Parameters<typeof check>[0], message: RegExp) {
  await assert.rejects(check(input), (error) => {
    assert(error instanceof CertificateError, String(error));
    assert.match(error.message, message);
    assert.match(error.message, /^Cannot use certificate: .*[^.]$/);
    return true;
  });
}

Deno.test("a certificate with its chain and its key can be served with, for the names in it", async () => {
  const material = await check({});
  assert.deepEqual(material.names, ["a.test", "*.a.test"]);
  assert.equal(material.cipher, "ec");
  assert.deepEqual(readPem(material.chain, "").map(({ label }) => label), ["CERTIFICATE", "CERTIFICATE"]);
  assert(Date.parse(material.notBefore) < Date.now() && Date.now() < Date.parse(material.expiresAt));
});

Deno.test("for a domain it is served under that name only, and must cover it", async () => {
  for (const domain of ["a.test", "*.a.test", "b.a.test"]) {
    assert.deepEqual((await check({ domain })).names, [domain]);
  }
  for (const domain of ["c.b.a.test", "test", "*.test", "*.b.a.test", "xa.test"]) {
    await refuses({ domain }, /does not cover ".+": it is for "a\.test", "\*\.a\.test"$/);
  }
});

Deno.test("the order of the chain is repaired, a root and a doublet are no harm", async () => {
  const chain = [root, intermediate, site, intermediate].map(({ certificate }) => certificate).join("");
  const expected = [site, intermediate, root].map(({ certificate }) => certificate).join("");
  const [repaired, straight] = await Promise.all([check({ chain }), check({ chain: expected })]);
  assert.equal(repaired.chain, straight.chain);
  assert.equal(readPem(repaired.chain, "").length, 3);
});

Deno.test("a chain with a gap, a stranger or a wrong signature is refused", async () => {
  const stranger = await issueSite({ subject: "CN=Stranger" });
  await refuses({ chain: site.certificate + root.certificate }, /"CN=Root" does not belong to the chain/);
  await refuses(
    { chain: site.certificate + intermediate.certificate + stranger.certificate },
    /"CN=Stranger" does not belong/,
  );
  const forged = await issue({ subject: "CN=Intermediate", isAuthority: true, issuer: root });
  await refuses({ chain: site.certificate + forged.certificate }, /"CN=Intermediate" does not belong/);
  const public_ = await issueSite({ issuerUrl: "http://ca.test/i.der" });
  await refuses(
    { chain: public_.certificate, privateKey: public_.privateKey },
    /ends after the first; that of its issuer, "CN=Intermediate", is at "http:\/\/ca\.test\/i\.der"$/,
  );
});

Deno.test("the key must be that of the certificate, and not of a CA", async () => {
  const other = await issueSite({});
  await refuses(
    { privateKey: other.privateKey },
    /the private key is not that of the certificate of "CN=Site"/,
  );
  await refuses(
    { privateKey: intermediate.privateKey },
    /the private key is that of "CN=Intermediate", a CA/,
  );
});

Deno.test("PKCS #8, PKCS #1 and SEC 1 keys are read, also beside the certificates in one file", async () => {
  const rsa = await issueSite({ algorithm: RSA });
  const asPem = (key: string, type: "pkcs1" | "sec1") =>
    createPrivateKey(key).export({ type, format: "pem" }) as string;
  const ec = asPem(site.privateKey, "sec1");
  assert.match(ec, /BEGIN EC PRIVATE KEY/);
  assert.equal((await check({ privateKey: ec })).privateKey, (await check({})).privateKey);
  const pkcs1 = asPem(rsa.privateKey, "pkcs1");
  assert.match(pkcs1, /BEGIN RSA PRIVATE KEY/);
  const both = `subject=CN = Site\r\n${pkcs1}${rsa.certificate}${intermediate.certificate}`.replaceAll(
    "\n",
    "\r\n",
  );
  assert.equal((await check({ chain: both, privateKey: both })).cipher, "rsa");
});

Deno.test("what is given instead of a key is named", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const publicPem = publicKey.export({ type: "spki", format: "pem" }) as string;
  const encrypted = privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  const cases: [string, RegExp][] = [
    ["", /the private key is missing: no PEM block of one was found/],
    [publicPem, /a public key was given instead/],
    [site.certificate, /a certificate was given instead/],
    [writePem("CERTIFICATE REQUEST", new Uint8Array(9)), /a certificate request was given instead/],
    [encrypted as string, /is encrypted; decrypt it first, as "openssl pkey/],
    [
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----",
      /is encrypted; decrypt it first/,
    ],
    [site.privateKey + site.privateKey, /there are 2 private keys; one is allowed/],
    [writePem("PRIVATE KEY", new Uint8Array(9)), /the block PRIVATE KEY has no key that can be read/],
    [writePem("OPENSSH PRIVATE KEY", new Uint8Array(9)), /is allowed, and OPENSSH PRIVATE KEY was given/],
  ];
  for (const [key, message] of cases) await refuses({ privateKey: key }, message);
});

Deno.test("keys that browsers or this TLS do not take are refused by their kind", async () => {
  const generated = (type: "rsa" | "ec" | "ed25519", options: Record<string, unknown>) => {
    // deno-lint-ignore no-explicit-any -- the overloads of the function do not take a union
    const { privateKey } = (generateKeyPairSync as any)(type, options);
    return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  };
  await refuses(
    { privateKey: generated("rsa", { modulusLength: 1024 }) },
    /is rsa of 1024 bits; RSA of 2048 to 8192/,
  );
  await refuses({ privateKey: generated("ec", { namedCurve: "P-521" }) }, /is ec on secp521r1/);
  await refuses({ privateKey: generated("ed25519", {}) }, /is ed25519; /);
});

Deno.test("every kind of signature that CAs use is verified, and SHA-1 is refused", async () => {
  const issuers: [IssueOptions["algorithm"], string][] = [
    [RSA, "SHA-256"],
    [{ ...RSA, hash: "SHA-384" }, "SHA-384"],
    [{ ...RSA, hash: "SHA-512" }, "SHA-512"],
    [{ ...RSA, name: "RSA-PSS" }, "SHA-256"],
    [P384, "SHA-384"],
    [P384, "SHA-256"],
    [{ name: "ECDSA", namedCurve: "P-521" }, "SHA-512"],
    [{ name: "Ed25519" }, "SHA-512"],
  ];
  for (const [algorithm, hash] of issuers) {
    const issuer = await issue({ subject: "CN=Issuer", isAuthority: true, algorithm, hash });
    const leaf = await issueSite({ issuer, algorithm: P384, hash });
    await check({ chain: leaf.certificate + issuer.certificate, privateKey: leaf.privateKey });
  }
  const old = await issue({ subject: "CN=Old", isAuthority: true, algorithm: { ...RSA, hash: "SHA-1" } });
  const leaf = await issueSite({ issuer: old, hash: "SHA-1" });
  await refuses(
    { chain: leaf.certificate + old.certificate, privateKey: leaf.privateKey },
    /that of "CN=Site" is signed with SHA-1/,
  );
});

Deno.test("dates of the certificate and of what signed it are checked", async () => {
  const now = Date.now();
  const cases: [IssueOptions, RegExp][] = [
    [{ notBefore: now - 2 * DAY_MS, notAfter: now - DAY_MS }, /expired at \d{4}-.*Z; it is \d{4}-/],
    [{ notBefore: now + DAY_MS, notAfter: now + 2 * DAY_MS }, /is not valid before \d{4}-.*Z; it is \d{4}-/],
  ];
  for (const [dates, message] of cases) {
    const leaf = await issueSite(dates);
    const chain = leaf.certificate + intermediate.certificate;
    await refuses({ chain, privateKey: leaf.privateKey }, message);
    const issuer = await issue({ subject: "CN=Dated", isAuthority: true, issuer: root, ...dates });
    const below = await issueSite({ issuer });
    await refuses({ chain: below.certificate + issuer.certificate, privateKey: below.privateKey }, message);
  }
  await assert.rejects(
    checkCertificate({ chain: site.certificate, privateKey: site.privateKey }, new Date(now + 2 * DAY_MS)),
    /that of "CN=Site" expired/,
  );
});

Deno.test("what is not for the servers of names is refused", async () => {
  const cases: [IssueOptions, RegExp][] = [
    [{ extendedKeyUsage: [CLIENT_AUTH] }, /"CN=Site" is not for servers/],
    [{ names: [], addresses: ["192.0.2.1"] }, /it is for no hostname/],
    [{ names: ["w*.a.test", "*.*.a.test", "*", "a..test", "a.*.test", "ä.test"] }, /it is for no hostname/],
    [{ isAuthority: true }, /is that of "CN=Site", a CA/],
  ];
  for (const [options, message] of cases) {
    const leaf = await issueSite(options);
    await refuses(
      { chain: leaf.certificate + intermediate.certificate, privateKey: leaf.privateKey },
      message,
    );
  }
  const issuer = await issue({ subject: "CN=No CA", issuer: root });
  const leaf = await issueSite({ issuer });
  await refuses(
    { chain: leaf.certificate + issuer.certificate, privateKey: leaf.privateKey },
    /"CN=No CA" has signed another, but is not that of a CA/,
  );
  const { names } = await issueSite({ names: ["A.Test", "w*.a.test", "a.test"], addresses: ["192.0.2.1"] })
    .then((mixed) => check({ chain: mixed.certificate, privateKey: mixed.privateKey }));
  assert.deepEqual(names, ["a.test"]);
});

Deno.test("texts that are no chain are refused by what they are", async () => {
  const cases: [string, RegExp][] = [
    ["", /no PEM block CERTIFICATE was found/],
    [writePem("CERTIFICATE REQUEST", new Uint8Array(9)), /a certificate request was given/],
    [writePem("PKCS7", new Uint8Array(9)), /PKCS7 was given/],
    [site.certificate.slice(0, -20), /the chain is cut off: END CERTIFICATE should be/],
    [site.certificate.slice(30), /the chain has END CERTIFICATE where a block should begin/],
    [writePem("CERTIFICATE", new Uint8Array(9)), /a block CERTIFICATE cannot be read as one/],
    ["-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----", /the block CERTIFICATE is not base64/],
    ["x".repeat(65_537), /the chain has 65537 characters; 65536 are allowed/],
    [site.certificate.repeat(11), /the chain has 11 certificates; 10 are allowed/],
    ["-----BEGIN A-----\n-----END A-----\n".repeat(33), /the chain has 33 PEM blocks; 32 are allowed/],
  ];
  for (const [chain, message] of cases) await refuses({ chain }, message);
});

Deno.test("whatever is given, it is checked or refused in bounded time", async () => {
  const rounds = 300;
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const mutated = (pem: string): string => {
    const [block] = readPem(pem, "");
    const der = decodeBlock(block!);
    for (let count = random(4); count >= 0; count--) der[random(der.length)] = random(256);
    const cut = random(4) === 0 ? der.subarray(0, random(der.length)) : der;
    const text = writePem(block!.label, cut);
    if (random(4) > 0) return text;
    const at = random(text.length);
    return text.slice(0, at) + String.fromCharCode(random(128)) + text.slice(at + random(3));
  };
  for (let round = 0; round < rounds; round++) {
    const chain = (round % 3 === 0 ? site.certificate : mutated(site.certificate)) +
      (round % 2 === 0 ? mutated(intermediate.certificate) : intermediate.certificate);
    const privateKey = round % 3 === 0 ? mutated(site.privateKey) : site.privateKey;
    const startedAt = performance.now();
    await checkCertificate({ chain, privateKey }).catch((error) => {
      if (!(error instanceof CertificateError)) throw new Error(`${chain}${privateKey}`, { cause: error });
    });
    assert(performance.now() - startedAt < MAX_CHECK_MS);
  }
  const nested = new Uint8Array(40_000).map((_, index) => index % 2 === 0 ? 0x30 : 0x80);
  await refuses({ chain: writePem("CERTIFICATE", nested) }, /cannot be read as one/);
});
