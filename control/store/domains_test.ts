import assert from "node:assert/strict";
import type { CertificateMaterial } from "../model.ts";
import type { CertificateChange } from "./certificates.ts";
import { openStore, type Store } from "./store.ts";

async function withStore(work: (store: Store, organizationId: string) => void): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-domains-" });
  try {
    using store = await openStore(dir);
    work(store, store.organizations.first().id);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function material(...names: string[]): CertificateMaterial {
  return {
    names,
    chain: "chain",
    privateKey: "key",
    cipher: "ec",
    notBefore: "2026-01-01T00:00:00.000Z",
    expiresAt: "2026-04-01T00:00:00.000Z",
  };
}

Deno.test("a domain is registered once, with a token of its own, and is pending until it is verified", () =>
  withStore((store, organizationId) => {
    const domain = store.domains.create({ organizationId, domain: "shop.example.com" });
    assert.match(domain.token, /^[0-9a-f]{24}$/);
    assert.deepEqual([domain.isValidated, domain.provisioningStatus], [false, { code: "pending" }]);
    assert.deepEqual(store.domains.get(domain.id), domain);
    const taken = () => store.domains.create({ organizationId, domain: "shop.example.com" });
    assert.throws(taken, {
      code: "domainTaken",
      message: 'Cannot register domain "shop.example.com": it is registered already',
    });
    const other = store.domains.create({ organizationId, domain: "*.example.com" });
    assert.notEqual(other.token, domain.token);
    assert.deepEqual(store.domains.validated(), []);
    assert.ok(store.domains.markValidated(domain.id));
    assert.deepEqual(store.domains.validated().map(({ id }) => id), [domain.id]);
    assert.ok(!store.domains.markValidated("nothere"));
  }));

Deno.test("a name that two organizations have registered is of the one that verifies it", () =>
  withStore((store, organizationId) => {
    const other = store.organizations.create("other");
    const mine = store.domains.create({ organizationId, domain: "shop.example.com" });
    const theirs = store.domains.create({ organizationId: other.id, domain: "shop.example.com" });
    assert.equal(store.domains.ownerOf("shop.example.com"), null);
    assert.ok(store.domains.markValidated(theirs.id));
    assert.ok(store.domains.markValidated(theirs.id));
    assert.equal(store.domains.ownerOf("shop.example.com"), other.id);
    assert.throws(() => store.domains.markValidated(mine.id), { code: "domainTaken" });
    assert.ok(!store.domains.get(mine.id)!.isValidated);
    const third = store.organizations.create("third");
    assert.throws(() => store.domains.create({ organizationId: third.id, domain: "shop.example.com" }), {
      code: "domainTaken",
    });
  }));

Deno.test("domains that wait to be verified have a number", () =>
  withStore((store, organizationId) => {
    store.database.transaction(() => {
      for (let i = 0; i < 1000; i++) store.domains.create({ organizationId, domain: `d${i}.example.com` });
    });
    assert.throws(() => store.domains.create({ organizationId, domain: "more.example.com" }), {
      code: "tooManyDomains",
    });
  }));

Deno.test("how it stands with the certificate is kept, with the reason of a failure", () =>
  withStore((store, organizationId) => {
    const { id } = store.domains.create({ organizationId, domain: "shop.example.com" });
    for (
      const status of [{ code: "failed", message: "no" }, { code: "success" }, { code: "manual" }] as const
    ) {
      assert.ok(store.domains.setProvisioning(id, status));
      assert.deepEqual(store.domains.get(id)?.provisioningStatus, status);
    }
    assert.ok(!store.domains.setProvisioning("nothere", { code: "success" }));
  }));

Deno.test("domains are listed by organization, searched in any case, sorted and paged", () =>
  withStore((store, organizationId) => {
    const [b] = ["b.example.com", "a.example.com", "c.example.org"].map((domain) =>
      store.domains.create({ organizationId, domain })
    );
    const list = (changes: object, of = organizationId) => {
      const options = { page: 1, limit: 10, q: null, sort: "domain", order: "asc" } as const;
      const { items, total } = store.domains.list(of, { ...options, ...changes });
      return [items.map(({ domain }) => domain).join(" "), total];
    };
    assert.deepEqual(list({}), ["a.example.com b.example.com c.example.org", 3]);
    assert.deepEqual(list({ order: "desc", limit: 1, page: 2 }), ["b.example.com", 3]);
    assert.deepEqual(list({ q: "EXAMPLE.COM", sort: "created_at" }), ["b.example.com a.example.com", 2]);
    store.domains.markValidated(b!.id);
    assert.deepEqual(list({}, "another"), ["", 0]);
  }));

Deno.test("a domain has one certificate, a set of platform names as well, and each change is told once", () =>
  withStore((store, organizationId) => {
    const changes: CertificateChange[] = [];
    const stop = store.certificates.onChanged((change) => changes.push(change));
    const { id: domainId } = store.domains.create({ organizationId, domain: "shop.example.com" });
    const put = (names: string[], domainId: string | null, source: "acme" | "manual" = "acme") =>
      store.certificates.put({ material: material(...names), domainId, source });
    const first = put(["shop.example.com"], domainId);
    const second = put(["shop.example.com"], domainId, "manual");
    const platform = put(["isola.test", "*.isola.test"], null);
    const renewed = put(["*.isola.test", "isola.test"], null);
    const other = put(["a.isola.test"], null);
    assert.deepEqual(store.certificates.all(), [second, renewed, other]);
    assert.deepEqual(store.certificates.ofDomain(domainId), [second]);
    assert.deepEqual(changes, [
      { installed: [first], removed: [] },
      { installed: [second], removed: [first.id] },
      { installed: [platform], removed: [] },
      { installed: [renewed], removed: [platform.id] },
      { installed: [other], removed: [] },
    ]);

    changes.length = 0;
    assert.ok(store.certificates.remove(other.id));
    assert.ok(!store.certificates.remove(other.id));
    assert.ok(store.domains.delete(domainId));
    assert.ok(!store.domains.delete(domainId));
    assert.deepEqual(changes, [
      { installed: [], removed: [other.id] },
      { installed: [], removed: [second.id] },
    ]);
    assert.throws(() => put(["shop.example.com"], domainId), { code: "domainMissing" });
    stop();
    store.certificates.remove(renewed.id);
    assert.equal(changes.length, 2);
  }));

Deno.test("a certificate that is told of is stored already", () =>
  withStore((store) => {
    let found = 0;
    store.certificates.onChanged(() => found = store.certificates.all().length);
    store.certificates.put({ material: material("a.isola.test"), domainId: null, source: "acme" });
    assert.equal(found, 1);
  }));

Deno.test("there is one account with each ACME server", () =>
  withStore((store) => {
    const account = { directory: "https://acme.test/dir", url: "https://acme.test/1", privateKey: "{}" };
    assert.equal(store.acmeAccounts.get(account.directory), null);
    store.acmeAccounts.put(account);
    store.acmeAccounts.put({ ...account, url: "https://acme.test/2" });
    assert.deepEqual(store.acmeAccounts.get(account.directory), { ...account, url: "https://acme.test/2" });
  }));
