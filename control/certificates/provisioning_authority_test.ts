import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { openStore } from "../store/mod.ts";
import { TestAuthority } from "./acme/testing/test_authority.ts";
import { Provisioning } from "./provisioning.ts";

Deno.test("domains and platform names get certificates of a real ACME server, which go on after a restart", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-provisioning-" });
  await using authority = await TestAuthority.start();
  const platform = {
    baseDomain: "apps.example",
    wildcard: false,
    isPlatformName: (hostname: string) => hostname === "hello.apps.example",
  };
  {
    using store = await openStore(dir);
    const { certificates, domains, acmeAccounts } = store;
    const client = await authority.client({}, acmeAccounts);
    await using provisioning = new Provisioning({ certificates, domains, authority: client, platform });
    provisioning.start();
    const { id } = domains.create({ organizationId: store.organizations.first().id, domain: "shop.example" });
    domains.markValidated(id);
    await Promise.all([
      provisioning.provision(id),
      provisioning.provision(id),
      provisioning.want("hello.apps.example"),
      provisioning.want("random.apps.example"),
    ]);
    assert.deepEqual(domains.get(id)!.provisioningStatus, { code: "success" });
    const names = certificates.all().map(({ names }) => names.join());
    assert.deepEqual(names.toSorted(), ["hello.apps.example", "shop.example"]);
    const { chain } = certificates.ofDomain(id)[0]!;
    assert.equal(new X509Certificate(chain).checkHost("shop.example"), "shop.example");
  }
  {
    using store = await openStore(dir);
    const { certificates, domains, acmeAccounts } = store;
    const client = await authority.client({}, acmeAccounts);
    await using provisioning = new Provisioning({ certificates, domains, authority: client, platform });
    const account = acmeAccounts.get(authority.pebble.directory);
    const { id } = domains.create({ organizationId: store.organizations.first().id, domain: "www.example" });
    domains.markValidated(id);
    const isInstalled = new Promise<void>((resolve) => certificates.onChanged(() => resolve()));
    provisioning.start();
    await isInstalled;
    assert.equal(certificates.all().length, 3);
    assert.deepEqual(acmeAccounts.get(authority.pebble.directory), account);
  }
  await Deno.remove(dir, { recursive: true });
});
