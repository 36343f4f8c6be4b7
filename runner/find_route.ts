import type { Route, RouteTable } from "./contract.ts";
import { wildcardOf } from "./wildcard_of.ts";

/** Where a hostname leads: by its own name, else by the wildcard `*.example.com` that covers its first label. */
export function findRoute(routes: RouteTable, hostname: string): Route | undefined {
  return routes.get(hostname) ?? routes.get(wildcardOf(hostname));
}
