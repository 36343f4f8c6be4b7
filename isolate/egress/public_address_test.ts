import assert from "node:assert/strict";
import { isPublicAddress } from "./public_address.ts";

/** First and last address of each block. */
const NOT_PUBLIC = {
  "this network": ["0.0.0.0", "0.255.255.255"],
  "private 10": ["10.0.0.0", "10.255.255.255"],
  "carriers": ["100.64.0.0", "100.127.255.255"],
  "loopback": ["127.0.0.0", "127.255.255.255"],
  "metadata of Azure": ["168.63.129.16"],
  "link-local and metadata": ["169.254.0.0", "169.254.169.254", "169.254.255.255"],
  "private 172": ["172.16.0.0", "172.31.255.255"],
  "protocol assignments": ["192.0.0.0", "192.0.0.255"],
  "documentation 1": ["192.0.2.0", "192.0.2.255"],
  "6to4 relays": ["192.88.99.0", "192.88.99.255"],
  "private 192": ["192.168.0.0", "192.168.255.255"],
  "benchmarking": ["198.18.0.0", "198.19.255.255"],
  "documentation 2": ["198.51.100.0", "198.51.100.255"],
  "documentation 3": ["203.0.113.0", "203.0.113.255"],
  "multicast": ["224.0.0.0", "239.255.255.255"],
  "reserved": ["240.0.0.0", "255.255.255.254"],
  "broadcast": ["255.255.255.255"],
  "unspecified and loopback, v6": ["::", "::1"],
  "v4-compatible": ["::7f00:1", "::5db8:d822"],
  "v4-mapped": ["::ffff:7f00:1", "::ffff:127.0.0.1", "::ffff:5db8:d822"],
  "NAT64": ["64:ff9b::7f00:1", "64:ff9b::5db8:d822", "64:ff9b:1::", "64:ff9b:1:ffff::1"],
  "discard": ["100::1"],
  "below global unicast": ["1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "Teredo": ["2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
  "benchmarking, v6": ["2001:2::1"],
  "ORCHID": ["2001:10::1", "2001:20::1"],
  "end of protocol assignments, v6": ["2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "documentation, v6": ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff::1"],
  "6to4": ["2002::", "2002:7f00:1::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "above global unicast": ["4000::", "5f00::1"],
  "unique-local": ["fc00::", "fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "link-local, v6": ["fe80::1", "febf::1"],
  "site-local": ["fec0::1"],
  "multicast, v6": ["ff02::1"],
  "no address": ["", "localhost", "2130706433", "127.1", "0177.0.0.1", "fe80::1%eth0", "2606:4700::1%eth0"],
};

/** The neighbours of the blocks above, and some that everybody knows. */
const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "168.63.129.15",
  "168.63.129.17",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.0.3.0",
  "192.88.98.255",
  "192.88.100.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "198.51.99.255",
  "198.51.101.0",
  "203.0.112.255",
  "203.0.114.0",
  "223.255.255.255",
  "2000::",
  "2001:200::",
  "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
  "2001:db9::",
  "2001:4860:4860::8888",
  "2003::",
  "2606:4700:4700::1111",
  "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  "3fff:1000::",
];

Deno.test("addresses of special-purpose blocks are not public", () => {
  for (const [block, addresses] of Object.entries(NOT_PUBLIC)) {
    for (const address of addresses) assert.equal(isPublicAddress(address), false, `${block}: ${address}`);
  }
});

Deno.test("their neighbours are", () => {
  for (const address of PUBLIC) assert.equal(isPublicAddress(address), true, address);
});
