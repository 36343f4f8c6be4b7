import { isIP } from "node:net";
import { dial } from "./dial.ts";
import type { DnsAnswer, DnsRequest, RecordType } from "./dns_request.ts";
import type { FairSlots } from "./fair_slots.ts";
import { canonicalHost } from "./host.ts";
import type { EgressLimits } from "./limits.ts";
import type { OwnAddresses } from "./own_addresses.ts";
import { isPrivateReverseName } from "./reverse_name.ts";
import { isPublicAddress } from "./public_address.ts";
import { ResolvedNames } from "./resolved_names.ts";
import { type FairResolver, ResolveError } from "./resolver.ts";
import { type Refusal, Reply } from "./socks5.ts";
import { covers, type Target, type TargetPattern } from "./target.ts";

/** What all sandboxes share. */
export interface GatewayOptions {
  /** Targets that may have addresses which are not public. */
  allowPrivate: readonly TargetPattern[];
  resolver: FairResolver;
  /** For connections that are being set up. */
  setup: FairSlots;
  ownAddresses: OwnAddresses;
  limits: EgressLimits;
}

const ADDRESS_FAMILIES: ReadonlyMap<string, 4 | 6> = new Map([["A", 4], ["AAAA", 6]]);
const RECORD_TYPES: ReadonlySet<string> = new Set<RecordType>(
  ["CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"],
);

/** Decides where one sandbox may go, and goes there. */
export class Gateway {
  /** What the deployment asked for; nothing until it is known. */
  net: true | readonly TargetPattern[] = [];
  readonly #id: string;
  readonly #options: GatewayOptions;
  readonly #resolved = new ResolvedNames();

  constructor(id: string, options: GatewayOptions) {
    this.#id = id;
    this.#options = options;
  }

  /**
   * A connection to the target, or why there is none.
   *
   * **Invariant:** an address that is dialed was checked after resolution, in this call: a name which answers otherwise
   * the next time gains nothing.
   */
  async connect({ host, port }: Target, signal: AbortSignal): Promise<Deno.TcpConn | Refusal> {
    const { setup, limits, allowPrivate } = this.#options;
    // An address that was resolved for this sandbox stands for its name.
    const names = [host, ...isIP(host) === 0 ? [] : this.#resolved.namesOf(host)]
      .filter((name) => covers(this.net, name, port));
    if (names.length === 0) return Reply.notAllowed;
    using slot = await setup.acquire(this.#id, signal);
    if (slot === null) return signal.aborted ? Reply.ttlExpired : Reply.failure;
    try {
      const addresses = isIP(host) === 0 ? await this.#resolve(host, 0, signal) : [host];
      const mayBePrivate = names.some((name) => covers(allowPrivate, name, port));
      const allowed = this.#allowed(addresses, mayBePrivate);
      if (allowed.length === 0) return Reply.notAllowed;
      return await dial(allowed, port, { attemptTimeoutMs: limits.attemptTimeoutMs, signal });
    } catch (error) {
      return refusalFor(error);
    }
  }

  /** The records of a name that the sandbox may connect to, at whatever port. */
  async answer({ name, type }: DnsRequest, signal: AbortSignal): Promise<DnsAnswer> {
    const host = canonicalHost(name);
    const family = ADDRESS_FAMILIES.get(type);
    if (host === null || isIP(host) !== 0 || family === undefined && !RECORD_TYPES.has(type)) {
      return { error: { code: "EBADQUERY", message: "Not a name, or not a type that may be asked for" } };
    }
    if (!covers(this.net, host, null) || isPrivateReverseName(host)) {
      return { error: { code: "EREFUSED", message: `Not allowed to resolve "${host}"` } };
    }
    try {
      if (family === undefined) {
        const { resolver } = this.#options;
        return { records: await resolver.records(this.#id, host, type as RecordType, signal) };
      }
      const addresses = await this.#resolve(host, family, signal);
      const allowed = this.#allowed(addresses, covers(this.#options.allowPrivate, host, null));
      if (allowed.length > 0) return { records: allowed };
      return { error: { code: "EREFUSED", message: `Not allowed to reach "${host}": it is not public` } };
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      return { error: { code: error.code, message: error.message } };
    }
  }

  async #resolve(name: string, family: 0 | 4 | 6, signal: AbortSignal): Promise<string[]> {
    const addresses = await this.#options.resolver.addresses(this.#id, name, family, signal);
    if (addresses.length === 0) throw new ResolveError("ENOTFOUND", `Cannot resolve "${name}": no address`);
    for (const address of addresses) this.#resolved.add(name, address);
    return addresses;
  }

  #allowed(addresses: readonly string[], mayBePrivate: boolean): readonly string[] {
    if (mayBePrivate) return addresses;
    return addresses.filter((address) =>
      isPublicAddress(address) && !this.#options.ownAddresses.has(address)
    );
  }
}

function refusalFor(error: unknown): Refusal {
  if (error instanceof ResolveError) {
    if (error.code === "ENOTFOUND") return Reply.hostUnreachable;
    return error.code === "ETIMEOUT" ? Reply.ttlExpired : Reply.failure;
  }
  if (error instanceof Deno.errors.ConnectionRefused) return Reply.refused;
  if (error instanceof Deno.errors.TimedOut) return Reply.ttlExpired;
  if (error instanceof DOMException && error.name === "TimeoutError") return Reply.ttlExpired;
  return Reply.failure;
}
