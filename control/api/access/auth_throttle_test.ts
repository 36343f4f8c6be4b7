import assert from "node:assert/strict";
import { AuthThrottle } from "./auth_throttle.ts";

const GENERATED = `isola_${"x".repeat(43)}`;

function fail(throttle: AuthThrottle, address: string, times: number): void {
  for (let n = 0; n < times; n++) throttle.failed(address);
}

Deno.test("who guesses too often waits; a token that was good there before, or that was generated, is looked at", () => {
  const throttle = new AuthThrottle({ maxFailures: 3 });
  throttle.succeeded("192.0.2.1", "chosen");
  fail(throttle, "192.0.2.1", 2);
  assert.ok(throttle.admits("192.0.2.1", "guess"));
  fail(throttle, "192.0.2.1", 1);
  assert.ok(!throttle.admits("192.0.2.1", "guess"));
  const waitMs = throttle.waitMs("192.0.2.1");
  assert.ok(waitMs > 50_000 && waitMs <= 60_000, `${waitMs}`);
  assert.ok(throttle.admits("192.0.2.1", "chosen"));
  assert.ok(throttle.admits("192.0.2.1", GENERATED));
  assert.ok(throttle.admits("192.0.2.2", "guess"));
});

Deno.test("the wait ends with its window", () => {
  const throttle = new AuthThrottle({ maxFailures: 1, windowMs: 0 });
  fail(throttle, "192.0.2.1", 5);
  assert.ok(throttle.admits("192.0.2.1", "guess"));
});

Deno.test("a site is one address: of IPv6 the first 64 bits", () => {
  const pairs: [guessing: string, other: string, isSame: boolean][] = [
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true],
    ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
    ["2001:db8::1", "2001:db8:0:0:7::", true],
    ["::1", "0:0:0:0:5::", true],
    ["1::4:5:6:7:8", "1:0:0:4:5:6:7:9", true],
    ["fe80::1%eth0", "fe80::2%eth1", true],
    ["192.0.2.1", "192.0.2.2", false],
  ];
  for (const [guessing, other, isSame] of pairs) {
    const throttle = new AuthThrottle({ maxFailures: 1 });
    fail(throttle, guessing, 1);
    assert.equal(throttle.admits(other, "guess"), !isSame, `${guessing} ${other}`);
  }
});

Deno.test("no more addresses are remembered than were allowed, and who guesses on is not forgotten first", () => {
  const throttle = new AuthThrottle({ maxFailures: 2, maxAddresses: 100 });
  fail(throttle, "192.0.2.1", 2);
  for (let n = 0; n < 99; n++) throttle.failed(`10.0.0.${n}`);
  throttle.failed("192.0.2.1");
  for (let n = 0; n < 99; n++) throttle.failed(`10.0.1.${n}`);
  assert.ok(!throttle.admits("192.0.2.1", "guess"));
  for (let n = 0; n < 100; n++) throttle.failed(`10.0.2.${n}`);
  assert.ok(throttle.admits("192.0.2.1", "guess"));
});
