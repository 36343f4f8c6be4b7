import assert from "node:assert/strict";
import { findRoute } from "./find_route.ts";

Deno.test("a hostname leads where its own name does, else where the wildcard above it does", () => {
  const route = (deploymentId: string) => ({ deploymentId, maxConcurrency: 1, requestTimeoutMs: 0 });
  const routes = new Map([["*.example.com", route("any")], ["shop.example.com", route("shop")]]);
  const cases = [
    ["shop.example.com", "shop"],
    ["other.example.com", "any"],
    ["example.com", undefined],
    ["a.b.example.com", undefined],
    ["*.example.com", "any"],
    ["com", undefined],
    ["", undefined],
  ] as const;
  for (const [hostname, deploymentId] of cases) {
    assert.equal(findRoute(routes, hostname)?.deploymentId, deploymentId, hostname);
  }
});
