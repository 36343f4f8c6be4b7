import { BlockList, isIP, isIPv6 } from "node:net";

/** Addresses and networks that an operator named. */
export class AddressSet {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /**
   * @param cidrs `192.0.2.0/24`, `2001:db8::/32`, or an address alone.
   * @throws {TypeError} One is neither.
   */
  constructor(cidrs: readonly string[]) {
    this.#isEmpty = cidrs.length === 0;
    for (const cidr of cidrs) this.#add(cidr);
  }

  /** An IPv4 address may also be written as `::ffff:1.2.3.4`. */
  has(address: string): boolean {
    return !this.#isEmpty && this.#list.check(address, familyOf(address));
  }

  #add(cidr: string): void {
    const [address = "", prefix, more] = cidr.split("/");
    const maxPrefix = isIPv6(address) ? 128 : 32;
    const length = prefix === undefined ? maxPrefix : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
    if (isIP(address) === 0 || length > maxPrefix || more !== undefined) {
      throw new TypeError(`Cannot read address range "${cidr}": neither an address nor address/length`);
    }
    this.#list.addSubnet(address, length, familyOf(address));
  }
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}
