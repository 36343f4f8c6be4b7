import assert from "node:assert/strict";
import { type Client, TrustedProxies, type Way } from "./trusted_proxies.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const PROXIES = new TrustedProxies([
  { addresses: ["10.0.0.0/8", "127.0.0.1"], by: "x-forwarded-for" },
  { addresses: ["fd00::/8"], by: "forwarded" },
  { addresses: ["192.0.2.1"], by: "proxy-protocol" },
]);

function client(address: string, way: Partial<Way>, isRelayed = false): string {
  const nothing = { forwardedFor: null, forwardedProto: null, forwarded: null };
  const peer: Client = { address, port: 5, proto: "http" };
  const found = PROXIES.clientOf(peer, { ...nothing, ...way }, isRelayed);
  return `${found.proto} ${found.address} ${found.port}`;
}

Deno.test("a visitor cannot say who it is", () => {
  assert.equal(
    client("203.0.113.9", { forwardedFor: "6.6.6.6", forwardedProto: "https" }),
    "http 203.0.113.9 5",
  );
  assert.equal(client("203.0.113.9", { forwarded: "for=6.6.6.6;proto=https" }), "http 203.0.113.9 5");
  // Each is believed in its own field alone.
  assert.equal(client("10.1.1.1", { forwarded: "for=6.6.6.6;proto=https" }), "http 10.1.1.1 5");
  assert.equal(client("fd00::1", { forwardedFor: "6.6.6.6", forwardedProto: "https" }), "http fd00::1 5");
  assert.equal(
    client("192.0.2.1", { forwardedFor: "6.6.6.6", forwarded: "for=6.6.6.6" }),
    "http 192.0.2.1 5",
  );
});

Deno.test("of a list, what trusted proxies added counts: the last address that is none of theirs", () => {
  const rows: [forwardedFor: string, expected: string][] = [
    ["198.51.100.7", "http 198.51.100.7 0"],
    ["6.6.6.6, 198.51.100.7", "http 198.51.100.7 0"],
    ["6.6.6.6, 198.51.100.7, 10.2.2.2, 127.0.0.1", "http 198.51.100.7 0"],
    ["10.9.9.9, 10.2.2.2", "http 10.9.9.9 0"],
    ["198.51.100.7:4711", "http 198.51.100.7 4711"],
    ["[2001:DB8::7]:4711", "http 2001:db8::7 4711"],
    ["2001:db8::7", "http 2001:db8::7 0"],
    ["::ffff:198.51.100.7", "http 198.51.100.7 0"],
    ["6.6.6.6, unknown", "http 10.1.1.1 5"],
    ["6.6.6.6, 999.1.1.1", "http 10.1.1.1 5"],
    ["6.6.6.6,", "http 10.1.1.1 5"],
    ["198.51.100.7:70000", "http 10.1.1.1 5"],
    ["", "http 10.1.1.1 5"],
  ];
  for (const [forwardedFor, expected] of rows) assert.equal(client("10.1.1.1", { forwardedFor }), expected);
  assert.equal(
    client("10.1.1.1", { forwardedFor: "198.51.100.7", forwardedProto: "HTTPS" }),
    "https 198.51.100.7 0",
  );
  assert.equal(client("10.1.1.1", { forwardedProto: "ftp" }), "http 10.1.1.1 5");
});

Deno.test("a relay is believed in what it added itself, wherever it stands behind proxies", () => {
  const rows: [address: string, way: Partial<Way>, expected: string][] = [
    ["203.0.113.9", { forwardedFor: "198.51.100.7", forwardedProto: "https" }, "https 198.51.100.7 0"],
    ["203.0.113.9", { forwardedFor: "6.6.6.6, 198.51.100.7" }, "http 198.51.100.7 0"],
    ["10.1.1.1", { forwardedFor: "6.6.6.6, 198.51.100.7, 203.0.113.9" }, "http 198.51.100.7 0"],
    ["10.1.1.1", { forwardedFor: "6.6.6.6, 198.51.100.7, 203.0.113.9, 10.2.2.2" }, "http 198.51.100.7 0"],
    // Before the relay stands a proxy that is believed by everybody.
    ["203.0.113.9", { forwardedFor: "6.6.6.6, 198.51.100.7, 10.2.2.2" }, "http 198.51.100.7 0"],
    ["10.1.1.1", { forwardedFor: "198.51.100.7" }, "http 198.51.100.7 0"],
    ["203.0.113.9", { forwardedFor: "6.6.6.6, unknown" }, "http 203.0.113.9 5"],
    ["203.0.113.9", { forwardedProto: "HTTPS" }, "https 203.0.113.9 5"],
    ["203.0.113.9", { forwardedProto: "ftp" }, "http 203.0.113.9 5"],
    ["203.0.113.9", { forwarded: "for=6.6.6.6;proto=https" }, "http 203.0.113.9 5"],
    ["203.0.113.9", {}, "http 203.0.113.9 5"],
  ];
  for (const [address, way, expected] of rows) {
    assert.equal(client(address, way, true), expected, JSON.stringify([address, way]));
  }
});

Deno.test("Forwarded is read by its grammar, and a quote left open says nothing", () => {
  const rows: [forwarded: string, expected: string][] = [
    ["for=198.51.100.7;proto=https", "https 198.51.100.7 0"],
    ['for=6.6.6.6, for="[2001:db8::7]:4711";by=x;proto=https', "https 2001:db8::7 4711"],
    ['For="198.51.100.7:80"', "http 198.51.100.7 80"],
    ["for=6.6.6.6, for=_hidden", "http fd00::1 5"],
    ["for=6.6.6.6, for=unknown", "http fd00::1 5"],
    ['for=6.6.6.6;x=", for="[2001:db8::7]"', "http fd00::1 5"],
    ['for=6.6.6.6;x="\\", for="[2001:db8::7]"', "http fd00::1 5"],
    ['for=6.6.6.6;x=", for=198.51.100.7', "http fd00::1 5"],
    ["nonsense", "http fd00::1 5"],
  ];
  for (const [forwarded, expected] of rows) {
    assert.equal(client("fd00::1", { forwarded }), expected, forwarded);
  }
});

Deno.test("whatever a visitor puts before it, what the proxy appends is what counts", () => {
  const random = new SeededRandom(5);
  const alphabet = ['"', "\\", ",", ";", "=", "for", "6.6.6.6", "proto", "https", " ", "x", "[", "]", ":"];
  for (let i = 0; i < 20_000; i++) {
    const forged = Array.from({ length: random.below(12) }, () => alphabet[random.below(alphabet.length)])
      .join("");
    for (const own of ["for=198.51.100.7", 'for="198.51.100.7:80"', 'for="[2001:db8::7]:1"']) {
      const found = client("fd00::1", { forwarded: `${forged}, ${own}` });
      assert(!found.includes("6.6.6.6") && !found.startsWith("https"), `${forged}, ${own} → ${found}`);
    }
    const found = client("10.1.1.1", { forwardedFor: `${forged}, 198.51.100.7` });
    assert.equal(found, "http 198.51.100.7 0");
  }
});

Deno.test("what is no address costs no time, however long it is", () => {
  const startedAt = performance.now();
  assert.equal(client("10.1.1.1", { forwardedFor: `${":".repeat(30_000)}x, 10.1.1.2` }), "http 10.1.1.2 0");
  const commas = ",".repeat(60_000);
  for (let i = 0; i < 2000; i++) {
    assert.equal(client("203.0.113.9", { forwardedFor: commas }, true), "http 203.0.113.9 5");
  }
  assert(performance.now() - startedAt < 1000);
});

Deno.test("only peers that were named for it begin with a PROXY header", () => {
  assert(PROXIES.sendsProxyHeader("192.0.2.1"));
  assert(PROXIES.sendsProxyHeader("::ffff:192.0.2.1"));
  for (const address of ["192.0.2.2", "10.1.1.1", "fd00::1", "nonsense"]) {
    assert(!PROXIES.sendsProxyHeader(address));
  }
});
