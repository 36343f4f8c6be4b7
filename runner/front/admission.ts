import type { VisitorLimits } from "../visitor_limits.ts";
import { networkOf } from "./address.ts";
import { HalfOpen } from "./half_open.ts";

/** A connection that counts, until it is released. */
export interface Place {
  /** Counts it, once, for whom it turned out to be; false = there are too many of that address. */
  takeFor(address: string): boolean;
  /** Idempotent. */
  release(): void;
}

/** How many connections there may be at once: one for all the addresses where a runner listens. */
export class Admission {
  readonly #maxConnections: number;
  readonly #maxPerNetwork: number;
  readonly #evict: () => boolean;
  /** An entry goes with its last connection. */
  readonly #networks = new Map<string, number>();
  #connections = 0;
  /** Those that are cut first when there is no place left. */
  readonly halfOpen: HalfOpen;

  /**
   * @param evict Ends the connection that is idle longest, which counts until it is over; false = none is idle.
   */
  constructor(limits: VisitorLimits, evict: () => boolean) {
    this.#maxConnections = limits.maxConnections;
    this.#maxPerNetwork = limits.maxConnectionsPerAddress;
    this.#evict = evict;
    this.halfOpen = new HalfOpen(limits.handshakeTimeoutMs);
  }

  get connections(): number {
    return this.#connections;
  }

  /** How many different visitors are counted. */
  get networks(): number {
    return this.#networks.size;
  }

  /**
   * Takes a place, if need be that of somebody who does nothing with it.
   *
   * @param address Whose; `null` = it will turn out.
   * @returns `null` = there is none, or there are too many of that address.
   */
  admit(address: string | null): Place | null {
    let network = address === null ? null : networkOf(address);
    if (network !== null && this.#isFull(network)) return null;
    if (this.#connections >= this.#maxConnections && !this.halfOpen.cutOldest() && !this.#evict()) {
      return null;
    }
    this.#connections++;
    if (network !== null) this.#count(network);
    let released = false;
    return {
      takeFor: (address) => {
        const told = networkOf(address);
        if (released || this.#isFull(told)) return false;
        network = told;
        this.#count(network);
        return true;
      },
      release: () => {
        if (released) return;
        released = true;
        this.#connections--;
        if (network !== null) this.#uncount(network);
      },
    };
  }

  #isFull(network: string): boolean {
    return (this.#networks.get(network) ?? 0) >= this.#maxPerNetwork;
  }

  #count(network: string): void {
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
  }

  #uncount(network: string): void {
    const left = this.#networks.get(network)! - 1;
    if (left > 0) this.#networks.set(network, left);
    else this.#networks.delete(network);
  }
}
