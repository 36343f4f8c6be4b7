/** More than a program resolves between a look-up and the connect that follows it. */
const MAX_NAMES = 4_096;
/** 240.0.0.0/4 is of no network (RFC 1112 §4). */
const FIRST_ADDRESS = 0xf0_00_00_01;

/**
 * Addresses that stand for names between the look-up of `node:net` and its connect, so that it is the names that go to
 * the proxy. Of more than 4,096, the ones that were not asked for the longest are forgotten.
 */
export class PlaceholderNames {
  readonly #addresses = new Map<string, string>();
  readonly #names = new Map<string, string>();
  #count = 0;

  /** The address of a name. */
  addressOf(name: string): string {
    const address = this.#addresses.get(name) ?? this.#take();
    this.#addresses.delete(name);
    this.#addresses.set(name, address);
    this.#names.set(address, name);
    return address;
  }

  /** The name that an address stands for, or the address. */
  hostnameOf(address: string): string {
    return this.#names.get(address) ?? address;
  }

  #take(): string {
    if (this.#addresses.size < MAX_NAMES) {
      const address = FIRST_ADDRESS + this.#count++;
      return [address >>> 24, address >>> 16 & 0xff, address >>> 8 & 0xff, address & 0xff].join(".");
    }
    const [oldest, address] = this.#addresses.entries().next().value!;
    this.#addresses.delete(oldest);
    return address;
  }
}
