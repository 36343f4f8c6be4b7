import assert from "node:assert/strict";
import { isPrivateReverseName } from "./reverse_name.ts";

Deno.test("reverse names are private unless they are of one public address", () => {
  const table: Record<string, boolean> = {
    "example.com": false,
    "arpa.example": false,
    "34.216.184.93.in-addr.arpa": false,
    "1.0.0.10.in-addr.arpa": true,
    "1.0.0.127.in-addr.arpa": true,
    "0.0.10.in-addr.arpa": true,
    "10.in-addr.arpa": true,
    "in-addr.arpa": true,
    "8.8.8.8.8.in-addr.arpa": true,
    "xn.8.8.8.in-addr.arpa": true,
    "home.arpa": true,
    [`8.8.8.8.${"0.".repeat(16)}0.6.8.4.0.6.8.4.1.0.0.2.ip6.arpa`]: false,
    [`1.${"0.".repeat(31)}ip6.arpa`]: true,
    [`1.${"0.".repeat(29)}d.f.ip6.arpa`]: true,
    "d.f.ip6.arpa": true,
    [`gg.${"0.".repeat(31)}ip6.arpa`]: true,
    [`g.${"0.".repeat(31)}ip6.arpa`]: true,
  };
  for (const [name, isPrivate] of Object.entries(table)) {
    assert.equal(isPrivateReverseName(name), isPrivate, name);
  }
});
