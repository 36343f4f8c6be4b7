/** What a server may take for a border of segments, or for `..`, though it is none in a URL. */
const ENCODED_BORDER = /%(?:2e|2f|5c)/i;

/**
 * Checks where a subhoster's token says that its origin is.
 *
 * @param allowed Absolute URLs as `URL` writes them, that end in `/`.
 * @returns It as `URL` writes it; `null` unless it is one of those, or below it.
 */
export function checkRpcRoot(rpcRoot: string, allowed: readonly string[]): string | null {
  const url = URL.parse(rpcRoot);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return null;
  if (url.username !== "" || url.password !== "" || /[?#\\]/.test(rpcRoot)) return null;
  const { href } = url;
  if (!href.endsWith("/")) return null;
  const root = allowed.find((root) => href.startsWith(root));
  return root === undefined || ENCODED_BORDER.test(href.slice(root.length)) ? null : href;
}
