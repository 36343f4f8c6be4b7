import assert from "node:assert/strict";
import { canonicalAddress, networkOf } from "./address.ts";
import { AddressSet } from "./address_set.ts";

Deno.test("An address is written in one way", () => {
  const cases = {
    "192.0.2.1": "192.0.2.1",
    "::ffff:192.0.2.1": "192.0.2.1",
    "0:0:0:0:0:FFFF:C000:0201": "192.0.2.1",
    "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
    "::1": "::1",
  };
  for (const [address, canonical] of Object.entries(cases)) {
    assert.equal(canonicalAddress(address), canonical);
  }
});

Deno.test("Visitors are told apart by IPv4 address and by IPv6 network of 64 bits", () => {
  const cases = {
    "192.0.2.1": "192.0.2.1",
    "::ffff:192.0.2.1": "192.0.2.1",
    "2001:db8::1": "2001:db8:0:0::/64",
    "2001:db8:0:0:ffff::1": "2001:db8:0:0::/64",
    "2001:db8:0:1::1": "2001:db8:0:1::/64",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
    "::1": "0:0:0:0::/64",
    "fe80::": "fe80:0:0:0::/64",
  };
  for (const [address, network] of Object.entries(cases)) assert.equal(networkOf(address), network);
});

Deno.test("A set of addresses has those of its networks, mapped ones too", () => {
  const set = new AddressSet(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "fd00::1"]);
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8:5::1", "fd00::1"]) {
    assert.ok(set.has(address), address);
  }
  for (const address of ["11.0.0.1", "::ffff:11.0.0.1", "192.0.2.2", "2001:db9::1", "fd00::2", "::1"]) {
    assert.ok(!set.has(address), address);
  }
  assert.ok(new AddressSet(["0.0.0.0/0"]).has("1.2.3.4"));
  assert.ok(!new AddressSet([]).has("1.2.3.4"));
});

Deno.test("A set of addresses is not made of anything else", () => {
  for (
    const cidr of [
      "",
      "a.test",
      "10.0.0.0/33",
      "fd00::/129",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "10.0.0/8",
      "10.0.0.0/-1",
    ]
  ) {
    assert.throws(() => new AddressSet([cidr]), {
      name: "TypeError",
      message: `Cannot read address range "${cidr}": neither an address nor address/length`,
    });
  }
});
