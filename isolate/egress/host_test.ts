import assert from "node:assert/strict";
import { canonicalAddress, canonicalHost } from "./host.ts";

Deno.test("a host has one spelling, and what is none is refused", () => {
  const spellings: Record<string, string | null> = {
    "Example.COM": "example.com",
    "example.com.": "example.com",
    "_pg._tcp.example.com": "_pg._tcp.example.com",
    "1.2.3.4": "1.2.3.4",
    "2001:DB8:0:0::1": "2001:db8::1",
    "::ffff:1.2.3.4": "::ffff:102:304",
    // Names, of which only getaddrinfo(3) makes addresses.
    "2130706433": "2130706433",
    "0x7f.1": "0x7f.1",
    "0177.0.0.1": "0177.0.0.1",
    "127.1": "127.1",
    "1.2.3.4.": null,
    "": null,
    ".": null,
    "a..b": null,
    "a.b..": null,
    ".a": null,
    "*.a": null,
    "a b": null,
    "a\0b": null,
    "a/b": null,
    "[::1]": null,
    "fe80::1%eth0": null,
    "１２７.0.0.1": null,
    "ü.example": null,
    [`${"a".repeat(64)}.example`]: null,
    ["a.".repeat(128)]: null,
  };
  for (const [text, host] of Object.entries(spellings)) assert.equal(canonicalHost(text), host, text);
});

Deno.test("only strict IPv4 and IPv6 without a zone are addresses", () => {
  assert.equal(canonicalAddress("::"), "::");
  assert.equal(canonicalAddress("0:0:0:0:0:0:0:1"), "::1");
  for (const text of ["01.2.3.4", "1.2.3", "1.2.3.256", "::1%lo", "::1%25lo", "12345::", "1::2::3", "::1]"]) {
    assert.equal(canonicalAddress(text), null, text);
  }
});
