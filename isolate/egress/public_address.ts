import { BlockList, isIP } from "node:net";

/** What is not "Globally Reachable" by IANA's IPv4 Special-Purpose Address Registry (RFC 6890), and multicast. */
const SPECIAL_IPV4 = [
  ["0.0.0.0", 8], // this network, RFC 791
  ["10.0.0.0", 8], // private, RFC 1918
  ["100.64.0.0", 10], // shared by carriers, RFC 6598
  ["127.0.0.0", 8], // loopback, RFC 1122
  ["168.63.129.16", 32], // not IANA's: Azure's WireServer, which every virtual machine there reaches as if it were private
  ["169.254.0.0", 16], // link-local, RFC 3927: the metadata services of clouds
  ["172.16.0.0", 12], // private, RFC 1918
  ["192.0.0.0", 24], // protocol assignments, RFC 6890
  ["192.0.2.0", 24], // documentation, RFC 5737
  ["192.88.99.0", 24], // 6to4 relays, RFC 7526
  ["192.168.0.0", 16], // private, RFC 1918
  ["198.18.0.0", 15], // benchmarking, RFC 2544
  ["198.51.100.0", 24], // documentation, RFC 5737
  ["203.0.113.0", 24], // documentation, RFC 5737
  ["224.0.0.0", 4], // multicast, RFC 5771
  ["240.0.0.0", 4], // reserved, RFC 1112, and the limited broadcast
] as const;

/**
 * All of IPv6 that is assigned for global unicast (RFC 4291 §2.4, IANA's IPv6 Global Unicast Address Assignments). Outside
 * of it are loopback, v4-compatible, v4-mapped, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique-local, link-local, multicast.
 */
const GLOBAL_UNICAST_IPV6 = ["2000::", 3] as const;

/** Special blocks within it, by IANA's IPv6 Special-Purpose Address Registry. */
const SPECIAL_IPV6 = [
  ["2001::", 23], // protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID
  ["2001:db8::", 32], // documentation, RFC 3849
  ["2002::", 16], // 6to4, RFC 3056: carries any IPv4 address
  ["3fff::", 20], // documentation, RFC 9637
] as const;

const special = new BlockList();
for (const [network, prefix] of SPECIAL_IPV4) special.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of SPECIAL_IPV6) special.addSubnet(network, prefix, "ipv6");
const globalUnicast = new BlockList();
globalUnicast.addSubnet(...GLOBAL_UNICAST_IPV6, "ipv6");

/** Whether an address, as `canonicalAddress` spells it, is one of the public internet. What is none is not public. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special.check(address, "ipv4");
    case 6:
      return globalUnicast.check(address, "ipv6") && !special.check(address, "ipv6");
    default:
      return false;
  }
}
