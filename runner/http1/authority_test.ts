import assert from "node:assert/strict";
import { canonicalHostname, readAuthority } from "./authority.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

Deno.test("the authority is the visitor's name without case, port and trailing dot", () => {
  const rows: [ofTarget: string | null, host: string | null, hostname: string, sent: string][] = [
    [null, "a.test", "a.test", "a.test"],
    [null, "A.TeST", "a.test", "A.TeST"],
    [null, "a.test.", "a.test", "a.test."],
    [null, "a.test:8443", "a.test", "a.test:8443"],
    [null, "a.test.:80", "a.test", "a.test.:80"],
    ["a.test", null, "a.test", "a.test"],
    ["a.test:80", "A.test", "a.test", "a.test:80"], // absolute form, same name
    [null, "a_b-c.test", "a_b-c.test", "a_b-c.test"],
    [null, "127.0.0.1:8600", "127.0.0.1", "127.0.0.1:8600"],
    [null, "[::1]:8600", "::1", "[::1]:8600"],
    [null, "localhost:8600", "localhost", "localhost:8600"],
  ];
  for (const [ofTarget, host, hostname, sent] of rows) {
    assert.deepEqual(readAuthority(ofTarget, host), { hostname, host: sent }, `${ofTarget} ${host}`);
  }
});

Deno.test("a missing, malformed or contradictory authority is refused", () => {
  const malformed = [
    "",
    "a.test/x",
    "a.test?x",
    "a.test#x",
    "a.test\\b.test",
    "b.test@a.test",
    "a%2etest",
    "a。test",
    "ü.test",
    "a b",
    "a%00.b",
    "a.test:99999",
    "a.test:abc",
    "a.test:",
    "a..test",
    ".a.test",
    "-a.test",
    "a,b",
    "b.test, c.test",
    "[::1",
    "[::g]",
    "[1.2.3.4]",
    `${"a".repeat(64)}.test`,
    `${"a.".repeat(127)}test`,
  ];
  for (const authority of malformed) {
    assert.equal(readAuthority(null, authority), null, authority);
    assert.equal(readAuthority(authority, "a.test"), null, authority);
    assert.equal(readAuthority("a.test", authority), null, authority);
  }
  assert.equal(readAuthority(null, null), null);
  assert.equal(readAuthority("b.test", "a.test"), null);
});

Deno.test("no authority that is let through means another name to the URL parser", () => {
  const random = new SeededRandom(1);
  const alphabet = "aZ0-._:@/\\?#%[]2e,。ü \t\x00x";
  for (let i = 0; i < 20_000; i++) {
    const host = Array.from({ length: 1 + random.below(12) }, () => random.pick(alphabet)).join("");
    const hostname = canonicalHostname(host);
    // IPv4 in the URL parser's many spellings never is a route.
    if (hostname === null || /^[\d.]+$/.test(hostname) || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(hostname)) {
      continue;
    }
    const url = new URL(`http://${host}/p`);
    assert.equal(url.hostname.replace(/^\[|\]$|\.$/g, ""), hostname, host);
    assert.equal(url.username + url.password + url.search + url.hash + url.pathname, "/p", host);
  }
});
