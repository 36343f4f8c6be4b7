/** What the URL parser would repair or leave for a server to decode: dot segments, encoded separators, backslashes, blanks. */
const AMBIGUOUS = /[^!-~]|\\|%2e|%2f|%5c|\/\.{1,2}(?:\/|$)/i;

/**
 * A token's `rpc_root` as `URL` writes it; `null` = it is none of the allowed ones and not below one.
 *
 * @param allowed As `URL` writes them, each ending in `/`, so that what begins with one ends a segment there.
 */
export function allowedRpcRoot(rpcRoot: string, allowed: readonly string[]): string | null {
  if (AMBIGUOUS.test(rpcRoot) || !rpcRoot.endsWith("/")) return null;
  const url = URL.parse(rpcRoot);
  if (url === null || url.protocol !== "https:" && url.protocol !== "http:") return null;
  if (url.username !== "" || url.password !== "" || /[?#@]/.test(rpcRoot)) return null;
  return allowed.some((root) => url.href.startsWith(root)) ? url.href : null;
}
