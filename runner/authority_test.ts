import assert from "node:assert/strict";
import { canonicalHostname, fallbackAuthority, readAuthority } from "./authority.ts";
import { SeededRandom } from "../tests/seeded_random.ts";

const FALLBACK = "localhost:8600";

Deno.test("the authority is the visitor's name without case, port and trailing dot", () => {
  const rows: [url: string, host: string | null, hostname: string, sent: string, target: string][] = [
    ["http://a.test/p", "a.test", "a.test", "a.test", "/p"],
    ["http://A.TeST/p", "A.TeST", "a.test", "A.TeST", "/p"],
    ["http://a.test./p", "a.test.", "a.test", "a.test.", "/p"],
    ["http://a.test:8443/p", "a.test:8443", "a.test", "a.test:8443", "/p"],
    ["http://a.test.:80/", "a.test.:80", "a.test", "a.test.:80", "/"],
    ["http://a.test/p", null, "a.test", "a.test", "/p"], // HTTP/2 that only sends :authority
    ["http://a.test:80/p", "A.test", "a.test", "a.test:80", "/p"], // absolute form, same name
    ["https://a.test/p", "a.test", "a.test", "a.test", "/p"], // absolute form, the client's scheme
    ["http://a.test", "a.test", "a.test", "a.test", "/"],
    ["http://a.test?q=1", "a.test", "a.test", "a.test", "/?q=1"],
    ["http://a_b-c.test/*", "a_b-c.test", "a_b-c.test", "a_b-c.test", "/*"],
    ["http://a.test/x/../y%2Fz//?a=b?c&d=%", "a.test", "a.test", "a.test", "/x/../y%2Fz//?a=b?c&d=%"],
    ["http://127.0.0.1:8600/p", "127.0.0.1:8600", "127.0.0.1", "127.0.0.1:8600", "/p"],
    ["http://[::1]:8600/p", "[::1]:8600", "::1", "[::1]:8600", "/p"],
    ["http://localhost:8600/p", "localhost:8600", "localhost", "localhost:8600", "/p"],
  ];
  for (const [url, host, hostname, sent, target] of rows) {
    assert.deepEqual(readAuthority(url, host, FALLBACK), { hostname, host: sent, target }, `${url} ${host}`);
  }
});

Deno.test("a missing, malformed or contradictory authority is refused", () => {
  const rows: [url: string, host: string | null][] = [
    ["http://localhost:8600/p", null], // no Host at all
    ["http://localhost:8600/p", ""], // an empty one
    ["http://a.test/x/p", "a.test/x"],
    ["http://a.test?x/p", "a.test?x"],
    ["http://a.test#x/p", "a.test#x"],
    ["http://a.test\\b.test/p", "a.test\\b.test"],
    ["http://b.test@a.test/p", "b.test@a.test"],
    ["http://a%2etest/p", "a%2etest"],
    ["http://a。test/p", "a。test"],
    ["http://ü.test/p", "ü.test"],
    ["http://a b/p", "a b"],
    ["http://a%00.b/p", "a%00.b"],
    ["http://a.test:99999/p", "a.test:99999"],
    ["http://a.test:abc/p", "a.test:abc"],
    ["http://a.test:/p", "a.test:"],
    ["http://a..test/p", "a..test"],
    ["http://.a.test/p", ".a.test"],
    ["http://-a.test/p", "-a.test"],
    ["http://a,b/p", "a,b"],
    ["http://[::1/p", "[::1"],
    ["http://[::g]/p", "[::g]"],
    ["http://[1.2.3.4]/p", "[1.2.3.4]"],
    [`http://${"a".repeat(64)}.test/p`, `${"a".repeat(64)}.test`],
    [`http://${"a.".repeat(127)}test/p`, `${"a.".repeat(127)}test`],
    ["http://b.test/p", "a.test"], // absolute form against Host, :authority against host
    ["http://b.test/p", "b.test, c.test"],
    ["ftp://a.test/p", "a.test"],
    ["http:///p", ""],
  ];
  for (const [url, host] of rows) assert.equal(readAuthority(url, host, FALLBACK), null, `${url} ${host}`);
});

Deno.test("the fallback is what the listener makes up for a request without a host", () => {
  const fallback = (hostname: string, port: number) =>
    fallbackAuthority({ transport: "tcp", hostname, port });
  assert.equal(fallback("0.0.0.0", 8000), "localhost:8000");
  assert.equal(fallback("127.0.0.1", 80), "localhost");
  assert.equal(fallback("::", 8000), "localhost:8000");
  assert.equal(fallback("192.0.2.1", 8000), "192.0.2.1:8000");
  assert.equal(fallback("2001:db8::1", 8000), "[2001:db8::1]:8000");
});

Deno.test("every real listener agrees with the fallback", async () => {
  for (const hostname of ["127.0.0.1", "0.0.0.0", "::1", "::"]) {
    const { promise, resolve } = Promise.withResolvers<string>();
    await using server = Deno.serve({ hostname, port: 0, onListen: () => {} }, (request) => {
      resolve(request.url);
      return new Response();
    });
    using conn = await Deno.connect({
      hostname: hostname.includes(":") ? "::1" : "127.0.0.1",
      port: server.addr.port,
    });
    await conn.write(new TextEncoder().encode("GET /p HTTP/1.1\r\nconnection: close\r\n\r\n"));
    assert.equal(await promise, `http://${fallbackAuthority(server.addr)}/p`);
    assert.equal(readAuthority(await promise, null, fallbackAuthority(server.addr)), null);
  }
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
