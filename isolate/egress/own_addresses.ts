import { canonicalAddress } from "./host.ts";

/** An address that the machine is given meanwhile may be reached for so long. */
const REFRESH_MS = 30_000;

/** The addresses of this machine's interfaces: whatever listens on them may count on not being reached from within. */
export class OwnAddresses {
  #addresses = new Set<string>();
  #staleAt = 0;

  has(address: string): boolean {
    const now = performance.now();
    if (now >= this.#staleAt) {
      this.#addresses = new Set(
        Deno.networkInterfaces().map((its) => canonicalAddress(its.address) ?? its.address),
      );
      this.#staleAt = now + REFRESH_MS;
    }
    return this.#addresses.has(address);
  }
}
