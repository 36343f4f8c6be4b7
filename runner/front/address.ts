const MAPPED = "::ffff:";
const MAPPED_GROUPS = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;
/** Of the 8 groups of an IPv6 address, those that one network has in common: 64 bits. */
const NETWORK_GROUPS = 4;

/** A valid address as it is written usually (RFC 5952); `::ffff:1.2.3.4` (RFC 4291 §2.5.5.2) is `1.2.3.4`. */
export function canonicalAddress(address: string): string {
  if (!address.includes(":")) return address;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = MAPPED_GROUPS.exec(canonical);
  if (mapped === null) return canonical;
  const bits = parseInt(mapped[1]!, 16) << 16 | parseInt(mapped[2]!, 16);
  return [bits >>> 24, bits >>> 16 & 255, bits >>> 8 & 255, bits & 255].join(".");
}

/**
 * Whoever shares it is counted as one visitor: the address itself, of IPv6 the first 64 bits, which is the least that a site is
 * given.
 *
 * @param address As the kernel or {@linkcode canonicalAddress} writes it.
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  if (address.startsWith(MAPPED) && address.includes(".")) return address.slice(MAPPED.length);
  const [head = "", tail] = address.split("::");
  const left = groupsOf(head);
  const zeros = tail === undefined ? 0 : 8 - left.length - groupsOf(tail).length;
  const groups = [...left, ...new Array<string>(zeros).fill("0"), ...groupsOf(tail ?? "")];
  return `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
}

function groupsOf(part: string): string[] {
  return part === "" ? [] : part.split(":");
}
