import assert from "node:assert/strict";
import { type LocalCa, openLocalCa } from "./local_ca.ts";
import { LocalCertificates } from "./local_certificates.ts";

/** Runs with the certificates of a base domain. */
async function withCertificates(
  baseDomain: string,
  fn: (certificates: LocalCertificates, ca: LocalCa) => Promise<void>,
) {
  const folder = await Deno.makeTempDir({ prefix: "isola-local-certificates-" });
  try {
    const ca = await openLocalCa({ folder, baseDomain });
    using certificates = new LocalCertificates(ca);
    await fn(certificates, ca);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(certificates: LocalCertificates): string[][] {
  return certificates.all().map(({ names }) => names);
}

Deno.test("each name below localhost gets a certificate, because no client takes *.localhost", async () => {
  await withCertificates("localhost", async (certificates) => {
    let changes = 0;
    certificates.onChanged(() => changes++);
    await certificates.cover(["shop.localhost", "blog.localhost", "x.isola.localhost"]);
    const platform = ["localhost", "isola.localhost", "*.isola.localhost"];
    assert.deepEqual(names(certificates), [platform, ["shop.localhost", "blog.localhost"]]);
    const before = certificates.all()[1];
    await certificates.cover(["shop.localhost", "blog.localhost", "shop-1.localhost"]);
    assert.deepEqual(names(certificates).at(-1), ["shop-1.localhost"]);
    assert.equal(certificates.all()[1], before);
    await certificates.cover(["shop-1.localhost"]);
    assert.deepEqual(names(certificates), [platform, ["shop-1.localhost"]]);
    await certificates.cover(["shop-1.localhost"]);
    assert.equal(changes, 3);
  });
});

Deno.test("a wildcard covers the names of a base domain with a dot; names of others are left out", async () => {
  await withCertificates("apps.test", async (certificates) => {
    await certificates.cover(["shop.apps.test", "a.b.apps.test", "shop.example.com", "apps.test"]);
    assert.deepEqual(names(certificates), [["apps.test", "*.apps.test"], ["a.b.apps.test"]]);
  });
});

Deno.test("many names are spread over certificates, and calls that overlap do not issue twice", async () => {
  await withCertificates("localhost", async (certificates) => {
    const many = Array.from({ length: 120 }, (_, index) => `p${index}.localhost`);
    await Promise.all([certificates.cover(many), certificates.cover(many)]);
    assert.deepEqual(names(certificates).map(({ length }) => length), [3, 50, 50, 20]);
  });
});

Deno.test("a certificate is renewed after two thirds of its lifetime", async () => {
  await withCertificates("localhost", async (certificates, ca) => {
    const issue = ca.issue.bind(ca);
    const day = 86_400_000;
    ca.issue = async (names) => ({
      ...await issue(names),
      notBefore: new Date(Date.now() - 61 * day).toISOString(),
      expiresAt: new Date(Date.now() + 29 * day).toISOString(),
    });
    await certificates.cover(["a.localhost"]);
    const due = certificates.all();
    ca.issue = issue;
    await certificates.cover(["a.localhost"]);
    assert.deepEqual(names(certificates), due.map(({ names }) => names));
    assert(certificates.all().every((certificate) => !due.includes(certificate)));
    const fresh = certificates.all();
    await certificates.cover(["a.localhost"]);
    assert.equal(certificates.all(), fresh);
  });
});
