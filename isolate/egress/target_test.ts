import assert from "node:assert/strict";
import { covers, parsePrivateTarget, parseTargetPattern } from "./target.ts";

Deno.test("a target pattern covers what Deno's own permissions do", () => {
  const table: [pattern: string, covered: [string, number | null][], not: [string, number | null][]][] = [
    ["Example.com.", [["example.com", 443], ["example.com", null]], [["a.example.com", 443]]],
    ["example.com:443", [["example.com", 443], ["example.com", null]], [["example.com", 80]]],
    [
      "*.example.com",
      [["example.com", 1], ["a.example.com", 1], ["b.a.example.com", 1]],
      [["xexample.com", 1], ["example.org", 1]],
    ],
    ["*.example.com:80", [["a.example.com", 80]], [["a.example.com", 81]]],
    ["1.2.3.4", [["1.2.3.4", 5]], [["1.2.3.5", 5], ["1.2.3.4.example", 5]]],
    ["[2001:DB8::1]:6379", [["2001:db8::1", 6379]], [["2001:db8::1", 6380]]],
  ];
  for (const [pattern, covered, not] of table) {
    const patterns = [parseTargetPattern(pattern)];
    for (const [host, port] of covered) {
      assert.ok(covers(patterns, host, port), `${pattern}: ${host}:${port}`);
    }
    for (const [host, port] of not) assert.ok(!covers(patterns, host, port), `${pattern}: ${host}:${port}`);
  }
  assert.ok(covers(true, "anything", 1));
  assert.ok(!covers([], "anything", 1));
});

Deno.test("a malformed target pattern is a RangeError that names it", () => {
  const malformed = [
    "",
    "*",
    "*.",
    "a.*.example",
    "*.1.2.3.4",
    "*.[::1]",
    "a:",
    "a:0",
    "a:65536",
    "a:x",
    "a:1:2",
    "::1",
    "[::1",
    "[1.2.3.4]",
    "[fe80::1%eth0]",
    "[a.example]",
    "https://a",
    "a/b",
    " a",
  ];
  for (const entry of malformed) {
    assert.throws(
      () => parseTargetPattern(entry),
      (error) => error instanceof RangeError && error.message.includes(`"${entry}"`),
      entry,
    );
  }
  assert.throws(() => parsePrivateTarget("*.internal"), RangeError);
  assert.deepEqual(parsePrivateTarget("[fd00::1]:6379"), { host: "fd00::1", subdomains: false, port: 6379 });
});
