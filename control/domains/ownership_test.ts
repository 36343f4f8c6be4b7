import assert from "node:assert/strict";
import { dnsRecords } from "./dns_records.ts";
import type { Lookup } from "./lookup.ts";
import { type DomainFacts, ownershipProblem } from "./ownership.ts";

const DOMAIN = { domain: "shop.example", token: "t0k3n" };
const RECORD = "isola-verification=t0k3n";
const REMEDY = `Set a TXT record at "_isola.shop.example" to "${RECORD}"`;

const found = (...values: string[]): Lookup => ({ values, failure: null });
const failed = (failure: string): Lookup => ({ values: [], failure });

function problem(facts: Partial<DomainFacts>, domain = DOMAIN): string | null {
  return ownershipProblem(domain, {
    texts: found(),
    addresses: found(),
    ownAddresses: ["203.0.113.5"],
    ...facts,
  });
}

Deno.test("a domain is verified by its TXT record, or by leading here with every address", () => {
  const owned: Partial<DomainFacts>[] = [
    { texts: found(RECORD) },
    { texts: found("v=spf1 -all", ` ${RECORD} `), addresses: found("198.51.100.1") },
    { texts: found(RECORD), addresses: failed("no answer") },
    { addresses: found("203.0.113.5") },
    { texts: failed("no answer"), addresses: found("203.0.113.5") },
    { addresses: found("203.0.113.5", "2001:db8::5"), ownAddresses: ["2001:DB8:0::5", "203.0.113.5"] },
  ];
  for (const facts of owned) assert.equal(problem(facts), null, JSON.stringify(facts));
  const foreign: Partial<DomainFacts>[] = [
    {},
    { texts: found("isola-verification=other"), addresses: found("198.51.100.1") },
    { texts: found(`x${RECORD}`) },
    { addresses: found("203.0.113.5", "198.51.100.1") },
    { addresses: { values: ["203.0.113.5"], failure: "no answer" } },
    { addresses: found("203.0.113.5"), ownAddresses: [] },
    { addresses: null },
  ];
  for (const facts of foreign) assert.notEqual(problem(facts), null, JSON.stringify(facts));
});

Deno.test("what is missing is said, with what to set", () => {
  assert.equal(
    problem({}),
    'Cannot verify domain "shop.example": there is no TXT record at "_isola.shop.example", ' +
      `and "shop.example" has no address. ${REMEDY}, or let the domain lead here`,
  );
  assert.equal(
    problem({
      texts: found("x".repeat(200)),
      addresses: found("1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5"),
    }),
    `Cannot verify domain "shop.example": the TXT record at "_isola.shop.example" is "${"x".repeat(100)}", ` +
      'and "shop.example" leads to 1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4 and 1 more, not to 203.0.113.5. ' +
      `${REMEDY}, or let the domain lead here`,
  );
  assert.equal(
    problem({ texts: failed("no answer from X"), addresses: found("1.1.1.1"), ownAddresses: [] }),
    'Cannot verify domain "shop.example": TXT records at "_isola.shop.example" cannot be looked up: no answer from X, ' +
      `and "shop.example" leads to 1.1.1.1, which is not known to be this server. ${REMEDY}`,
  );
  assert.equal(
    problem({ addresses: null }, { ...DOMAIN, domain: "*.shop.example" }),
    'Cannot verify domain "*.shop.example": there is no TXT record at "_isola.shop.example". ' + REMEDY,
  );
});

Deno.test("the records to set lead here, as far as that is known, and verify", () => {
  const records = (domain: string, addresses: string[], baseDomain = "isola.test") =>
    dnsRecords({ ...DOMAIN, domain }, { dns: { servers: [], addresses }, baseDomain })
      .map(({ type, name, content }) => `${type} ${name} ${content}`);
  const text = `TXT _isola.shop.example ${RECORD}`;
  assert.deepEqual(records("shop.example", ["203.0.113.5", "2001:db8::5"]), [
    "A shop.example 203.0.113.5",
    "AAAA shop.example 2001:db8::5",
    text,
  ]);
  assert.deepEqual(records("*.shop.example", []), ["CNAME *.shop.example isola.test", text]);
  assert.deepEqual(records("shop.example", [], "localhost"), [text]);
});
