import { isIPv4 } from "node:net";
import { canonicalAddress } from "./host.ts";
import { isPublicAddress } from "./public_address.ts";

const IPV4_ZONE = ".in-addr.arpa";
const IPV6_ZONE = ".ip6.arpa";

/**
 * Whether a name of the reverse tree (RFC 1035 §3.5, RFC 3596 §2.5) is of no public address, or of more than one: the
 * machine's name servers may tell of its private network there.
 */
export function isPrivateReverseName(name: string): boolean {
  if (!name.endsWith(".arpa")) return false;
  const address = reversed(name);
  return address === null || !isPublicAddress(address);
}

function reversed(name: string): string | null {
  if (name.endsWith(IPV4_ZONE)) {
    const address = name.slice(0, -IPV4_ZONE.length).split(".").reverse().join(".");
    return isIPv4(address) ? address : null;
  }
  if (!name.endsWith(IPV6_ZONE)) return null;
  const digits = name.slice(0, -IPV6_ZONE.length).split(".").reverse();
  if (digits.length !== 32 || digits.some((digit) => digit.length !== 1)) return null;
  return canonicalAddress(digits.join("").replace(/.{4}(?!$)/g, "$&:"));
}
