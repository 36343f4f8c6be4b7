/** How long an address stands for the name that it was resolved from. */
const LIFETIME_MS = 5 * 60_000;
/** Then the one that was resolved the longest ago is forgotten. */
const MAX_ENTRIES = 1000;

/** The answers that one sandbox got: some drivers resolve a name first and then connect to its address. */
export class ResolvedNames {
  /** In the order of their last resolution. */
  readonly #entries = new Map<string, { name: string; address: string; expiresAt: number }>();

  add(name: string, address: string): void {
    const key = `${name} ${address}`;
    this.#entries.delete(key);
    this.#entries.set(key, { name, address, expiresAt: performance.now() + LIFETIME_MS });
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!);
  }

  /** The names that `address` was an answer to. */
  namesOf(address: string): string[] {
    const now = performance.now();
    return [...this.#entries.values()]
      .filter((entry) => entry.address === address && entry.expiresAt > now)
      .map(({ name }) => name);
  }
}
