/** Sets and removes the TXT records of dns-01 challenges in somebody's zone. */
export interface DnsProvider {
  /**
   * Adds a record; others of the same name stay.
   *
   * @param name Such as `_acme-challenge.example.com`, without a final dot.
   * @throws {DnsProviderError}
   * @throws the signal's reason
   */
  present(name: string, value: string, signal: AbortSignal): Promise<void>;
  /**
   * Removes it again, and no other.
   *
   * @throws {DnsProviderError}
   * @throws the signal's reason
   */
  cleanup(name: string, value: string, signal: AbortSignal): Promise<void>;
}

/** What is done with a record. */
export type DnsAction = "present" | "cleanup";

/** A record could not be set or removed. */
export class DnsProviderError extends Error {
  override readonly name = "DnsProviderError";

  constructor(action: DnsAction, record: string, why: string, options?: ErrorOptions) {
    super(`Cannot ${action === "present" ? "set" : "remove"} the TXT record "${record}": ${why}`, options);
  }
}
