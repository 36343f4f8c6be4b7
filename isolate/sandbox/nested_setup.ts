import type { Target } from "./socks5.ts";

/** What nested Workers run first. Not a part of this module: most programs have none. */
const NESTED_GUEST = new URL("./nested_guest.js", import.meta.url);

/**
 * Publishes a module that does in a nested Worker what the guest did in its own: connections by way of the proxy, if there
 * is one, and doors closed. A program's Workers may not read our files, and from now on nobody in here may read this one.
 *
 * @returns `blob:` URL of the module; it lives as long as this Worker
 */
export function publishNestedSetup(proxy: Target | undefined): string {
  const code = [`const PROXY=${JSON.stringify(proxy)};`, Deno.readFileSync(NESTED_GUEST)];
  Deno.permissions.revokeSync({ name: "read", path: NESTED_GUEST });
  return URL.createObjectURL(new Blob(code, { type: "text/javascript" }));
}
