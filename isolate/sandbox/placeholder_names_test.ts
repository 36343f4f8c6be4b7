import assert from "node:assert/strict";
import { isIPv4 } from "node:net";
import { PlaceholderNames } from "./placeholder_names.ts";

Deno.test("a name keeps its address, and the address leads back to the name", () => {
  const names = new PlaceholderNames();
  const address = names.addressOf("example.com");
  assert.ok(isIPv4(address) && address.startsWith("240."), address);
  assert.equal(names.addressOf("example.com"), address);
  assert.notEqual(names.addressOf("example.org"), address);
  assert.equal(names.hostnameOf(address), "example.com");
});

Deno.test("an address that stands for no name is itself", () => {
  assert.equal(new PlaceholderNames().hostnameOf("192.0.2.1"), "192.0.2.1");
});

Deno.test("of too many names the one that was not asked for the longest is forgotten", () => {
  const names = new PlaceholderNames();
  const first = names.addressOf("name-0");
  const second = names.addressOf("name-1");
  for (let i = 2; i < 4_096; i++) names.addressOf(`name-${i}`);
  names.addressOf("name-0");
  assert.equal(names.addressOf("one-more"), second);
  assert.equal(names.hostnameOf(second), "one-more");
  assert.equal(names.hostnameOf(first), "name-0");
});
