import assert from "node:assert/strict";
import { join } from "node:path";
import { checkCertificate } from "./check_certificate.ts";
import { type LocalCa, openLocalCa } from "./local_ca.ts";
import { issue } from "./testing/issue.ts";

const DAY_MS = 86_400_000;

/** Runs with a folder that is removed afterwards. */
async function withFolder(fn: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "isola-local-ca-" });
  try {
    await fn(join(folder, "ca"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Makes a TLS connection as a client that trusts the CA does; rejects when the certificate does not verify. */
async function connect(ca: LocalCa, names: [string, ...string[]], hostname: string) {
  const { chain, privateKey } = await ca.issue(names);
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: chain, key: privateKey });
  const accepted = listener.accept().then(async (server) => {
    await server.handshake().catch(() => {}); // The client may refuse.
    server.close();
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  try {
    using tls = await Deno.startTls(conn, { hostname, caCerts: [ca.certificate] });
    await tls.handshake();
  } finally {
    await accepted;
  }
}

async function openssl(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("openssl", { args }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("the CA is made on first use, kept with a key that only its owner reads, and opened again", async () => {
  await withFolder(async (folder) => {
    const made = await openLocalCa({ folder, baseDomain: "localhost" });
    const opened = await openLocalCa({ folder, baseDomain: "localhost" });
    assert.equal(opened.certificate, made.certificate);
    assert.match(opened.name, /^Isola local CA [0-9a-f]{8}$/);
    assert.equal((await Deno.readTextFile(made.certificatePath)).trim(), made.certificate.trim());
    assert.equal((await Deno.stat(join(folder, "localhost/ca.key"))).mode! & 0o777, 0o600);
    for (const path of [folder, join(folder, "localhost")]) {
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
    }
    await connect(opened, ["shop.localhost"], "shop.localhost");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["localhost"]);
    const other = await openLocalCa({ folder, baseDomain: "apps.test" });
    assert.notEqual(other.name, made.name);
    await connect(other, ["apps.test", "*.apps.test"], "shop.apps.test");
  });
});

Deno.test("what it issues can be served with, for less than the longest lifetime that browsers allow", async () => {
  await withFolder(async (folder) => {
    const ca = await openLocalCa({ folder, baseDomain: "localhost" });
    const issued = await ca.issue(["shop.localhost", "*.isola.localhost"]);
    assert.deepEqual(await checkCertificate(issued), issued);
    assert.deepEqual(issued.names, ["shop.localhost", "*.isola.localhost"]);
    const lifetimeMs = Date.parse(issued.expiresAt) - Date.parse(issued.notBefore);
    assert(lifetimeMs > 80 * DAY_MS && lifetimeMs < 398 * DAY_MS);
  });
});

Deno.test("it cannot sign for other names or for addresses, as TLS of Deno and OpenSSL see it", async () => {
  await withFolder(async (folder) => {
    const ca = await openLocalCa({ folder, baseDomain: "apps.test" });
    for (const name of ["apps.test", "a.b.apps.test", "localhost", "x.localhost"]) {
      assert(ca.permits(name));
      await connect(ca, [name], name);
    }
    for (const name of ["bank.test", "test", "xapps.test", "apps.test.bank.test"]) {
      assert(!ca.permits(name));
      await assert.rejects(connect(ca, [name], name), /NameConstraintViolation/);
      const leaf = join(folder, "leaf.pem");
      await Deno.writeTextFile(leaf, (await ca.issue([name])).chain);
      assert.match(
        await openssl("verify", "-CAfile", ca.certificatePath, leaf),
        /permitted subtree violation/,
      );
    }
    const text = await openssl("x509", "-in", ca.certificatePath, "-noout", "-text");
    assert.match(
      text,
      /Name Constraints: critical\s+Permitted:\s+DNS:localhost\s+DNS:apps\.test\s+Excluded:\s+IP:0/,
    );
    assert.match(text, /Extended Key Usage: \s+TLS Web Server Authentication\n/);
  });
});

Deno.test("files that are damaged are refused, with their paths and the way out", async () => {
  await withFolder(async (folder) => {
    const { certificatePath } = await openLocalCa({ folder, baseDomain: "localhost" });
    await Deno.writeTextFile(certificatePath, "damaged");
    await assert.rejects(
      openLocalCa({ folder, baseDomain: "localhost" }),
      /^CertificateError: Cannot use certificate ".*ca\.pem": it cannot be read \(.+\); without ".*localhost" a new one is made$/,
    );
  });
});

Deno.test("processes that make the CA at the same time end up with the same one", async () => {
  await withFolder(async (folder) => {
    const opened = await Promise.all(
      [1, 2, 3, 4].map(() => openLocalCa({ folder, baseDomain: "localhost" })),
    );
    assert.equal(new Set(opened.map(({ certificate }) => certificate)).size, 1);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["localhost"]);
    await connect(opened[3]!, ["shop.localhost"], "shop.localhost");
  });
});

Deno.test("a CA that will expire is replaced", async () => {
  await withFolder(async (folder) => {
    const old = await openLocalCa({ folder, baseDomain: "localhost" });
    const expiring = await issue({ isAuthority: true });
    await Deno.writeTextFile(old.certificatePath, expiring.certificate);
    await Deno.writeTextFile(join(folder, "localhost/ca.key"), expiring.privateKey);
    const renewed = await openLocalCa({ folder, baseDomain: "localhost" });
    assert.notEqual(renewed.certificate, old.certificate);
    assert(renewed.isLasting);
    await connect(renewed, ["shop.localhost"], "shop.localhost");
  });
});
