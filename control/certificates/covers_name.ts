/**
 * Whether the name of a certificate stands for another: the same, or a wildcard for one more label (RFC 9525 §6.3). Both lower
 * case; a wildcard covers itself.
 */
export function coversName(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  const dot = name.indexOf(".");
  return dot > 0 && pattern.startsWith("*.") && pattern.slice(2) === name.slice(dot + 1);
}
