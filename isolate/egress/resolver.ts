import { lookup } from "node:dns/promises";
import type { DnsErrorCode, RecordType } from "./dns_request.ts";
import { FairSlots } from "./fair_slots.ts";
import { canonicalAddress } from "./host.ts";
import type { EgressLimits } from "./limits.ts";

/** How names are resolved. */
export interface Resolver {
  /**
   * The addresses of a name, in the order in which they are to be tried.
   *
   * @param family 4, 6 or, for both, 0.
   * @throws {ResolveError | Error}
   */
  addresses(name: string, family: 0 | 4 | 6): Promise<string[]>;
  /**
   * The records of a name.
   *
   * @throws {ResolveError | Error}
   */
  records(name: string, type: RecordType, signal: AbortSignal): Promise<unknown[]>;
}

/** A name has no answer. */
export class ResolveError extends Error {
  override readonly name = "ResolveError";

  constructor(readonly code: DnsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** As the machine resolves: addresses by getaddrinfo(3), so /etc/hosts and nsswitch.conf(5) count; else by DNS. */
export const systemResolver: Resolver = {
  async addresses(name, family) {
    try {
      const answers = await lookup(name, { all: true, family, order: "verbatim" });
      return answers.map(({ address }) => address);
    } catch (cause) {
      // EAI_AGAIN: the name servers did not answer. Every other failure means that there is no address to be had.
      const code = (cause as { code?: unknown }).code === "EAI_AGAIN" ? "ETIMEOUT" : "ENOTFOUND";
      throw new ResolveError(code, `Cannot resolve "${name}"`, { cause });
    }
  },
  async records(name, type, signal) {
    try {
      // The overloads of `resolveDns` take one literal type each.
      return await Deno.resolveDns(name, type as "TXT", { signal });
    } catch (cause) {
      const late = signal.aborted || cause instanceof Deno.errors.TimedOut;
      throw new ResolveError(late ? "ETIMEOUT" : "ENOTFOUND", `Cannot resolve ${type} of "${name}"`, {
        cause,
      });
    }
  },
};

/** A resolver that sandboxes share: they take turns, and nobody waits for it beyond a deadline. */
export class FairResolver {
  readonly #resolver: Resolver;
  readonly #slots: FairSlots;

  constructor(resolver: Resolver, limits: EgressLimits) {
    this.#resolver = resolver;
    this.#slots = new FairSlots({
      perKey: limits.lookups,
      total: limits.totalLookups,
      waitingPerKey: limits.waitingLookups,
    });
  }

  /** @throws {ResolveError} */
  async addresses(id: string, name: string, family: 0 | 4 | 6, signal: AbortSignal): Promise<string[]> {
    const answers = await this.#inTurn(id, signal, () => this.#resolver.addresses(name, family));
    return answers.map(canonicalAddress).filter((address) => address !== null);
  }

  /** @throws {ResolveError} */
  records(id: string, name: string, type: RecordType, signal: AbortSignal): Promise<unknown[]> {
    return this.#inTurn(id, signal, () => this.#resolver.records(name, type, signal));
  }

  async #inTurn<T>(id: string, signal: AbortSignal, resolve: () => Promise<T>): Promise<T> {
    const slot = await this.#slots.acquire(id, signal);
    if (slot === null) {
      throw signal.aborted
        ? new ResolveError("ETIMEOUT", "Cannot resolve in time: too many others")
        : new ResolveError("EREFUSED", "Cannot resolve: too many names at a time");
    }
    // getaddrinfo(3) cannot be cancelled: it keeps its thread, and so its slot, however long anybody waits for it.
    const answer = resolve().finally(() => slot[Symbol.dispose]());
    const { promise: late, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(new ResolveError("ETIMEOUT", "Cannot resolve in time"));
    signal.addEventListener("abort", onAbort);
    try {
      return await Promise.race([answer, late]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
