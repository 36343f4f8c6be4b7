import type { ModuleIndex } from "../protocol.ts";

type Addresses = Map<string, URL | null>;

/** Where a specifier leads from the module at a URL; `null` = nowhere. */
export type Resolve = (specifier: string, parent: string) => URL | null;

/** Resolution of specifiers (HTML, "resolve a module specifier"), by an import map if there is one. */
export function resolveBy(
  { url: mapUrl = "", imports = {}, scopes = {} }: Partial<ModuleIndex["importMap"]> = {},
): Resolve {
  const everywhere = readAddresses(imports, mapUrl);
  const scoped = Object.entries(scopes)
    .map(([prefix, addresses]) =>
      [URL.parse(prefix, mapUrl)?.href ?? prefix, readAddresses(addresses, mapUrl)] as const
    )
    .sort(([a], [b]) => a < b ? 1 : -1);
  return (specifier, parent) => {
    const url = urlLike(specifier, parent);
    const normalized = url?.href ?? specifier;
    for (const [prefix, addresses] of scoped) {
      if (prefix !== parent && !(prefix.endsWith("/") && parent.startsWith(prefix))) continue;
      const mapped = lookUp(normalized, url, addresses);
      if (mapped !== undefined) return mapped;
    }
    const mapped = lookUp(normalized, url, everywhere);
    return mapped === undefined ? url : mapped;
  };
}

/** A URL, or a path that says where it begins; anything else is a bare name. */
function urlLike(specifier: string, base: string): URL | null {
  return /^\.{0,2}\//.test(specifier) ? URL.parse(specifier, base) : URL.parse(specifier);
}

/** Longer keys first, so that the most specific prefix is found first. */
function readAddresses(entries: Record<string, string>, mapUrl: string): Addresses {
  const sorted = Object.entries(entries).sort(([a], [b]) => a < b ? 1 : -1);
  return new Map(
    sorted.map(([key, address]) => [urlLike(key, mapUrl)?.href ?? key, urlLike(address, mapUrl)]),
  );
}

/** Nothing if no key is for the specifier; `null` if one says that it leads nowhere. */
function lookUp(normalized: string, url: URL | null, addresses: Addresses): URL | null | undefined {
  for (const [key, address] of addresses) {
    if (key === normalized) return address;
    // Of URLs, only those of a hierarchy have prefixes.
    if (
      !key.endsWith("/") || !normalized.startsWith(key) ||
      (url !== null && url.origin === "null" && url.protocol !== "file:")
    ) {
      continue;
    }
    const mapped = address === null ? null : URL.parse(normalized.slice(key.length), address);
    return mapped?.href.startsWith(address!.href) ? mapped : null;
  }
  return undefined;
}
