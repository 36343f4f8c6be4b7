import { createHash } from "node:crypto";
import { networkOf } from "./network_of.ts";

/** How guessing is slowed. */
export interface AuthThrottleOptions {
  /** Of one address, within a window. @default {10} */
  maxFailures?: number;
  /** @default {60_000} */
  windowMs?: number;
  /** Addresses that are remembered; who failed longest ago is forgotten. @default {10_000} */
  maxAddresses?: number;
}

const DEFAULTS: Required<AuthThrottleOptions> = { maxFailures: 10, windowMs: 60_000, maxAddresses: 10_000 };
/** As the server makes them: 256 random bits, which nobody guesses however often he may. */
const GENERATED = /^isola_[A-Za-z0-9_-]{43}$/;

/**
 * Counts tokens that are not known, by address. Who has too many waits, with every other token that somebody has thought up
 * (ISOLA_ADMIN_TOKEN may be one); one that was good at that address before, or that the server has made, is still looked at:
 * so nobody is locked out by others, whether from elsewhere or from behind the same address.
 */
export class AuthThrottle {
  readonly #options: Required<AuthThrottleOptions>;
  /** Oldest first. */
  readonly #failures = new Map<string, { count: number; untilMs: number }>();
  /** Address and hash of token; the least recently used first. */
  readonly #good = new Set<string>();

  constructor(options: AuthThrottleOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Whether a token is looked at. */
  admits(address: string, text: string): boolean {
    return this.waitMs(address) === 0 || GENERATED.test(text) || this.#good.has(key(address, text));
  }

  /** How long an address has to wait; 0 = it need not. */
  waitMs(address: string): number {
    const failed = this.#failures.get(networkOf(address));
    if (failed === undefined || failed.count < this.#options.maxFailures) return 0;
    return Math.max(0, failed.untilMs - Date.now());
  }

  /** Notes that a token was not known. */
  failed(address: string): void {
    const network = networkOf(address);
    const before = this.#failures.get(network);
    const now = Date.now();
    const isNew = before === undefined || before.untilMs <= now;
    this.#failures.delete(network);
    this.#failures.set(network, {
      count: isNew ? 1 : before.count + 1,
      untilMs: isNew ? now + this.#options.windowMs : before.untilMs,
    });
    if (this.#failures.size > this.#options.maxAddresses) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
  }

  /** Notes that a token was known. */
  succeeded(address: string, text: string): void {
    if (GENERATED.test(text)) return;
    const good = key(address, text);
    this.#good.delete(good);
    this.#good.add(good);
    if (this.#good.size > this.#options.maxAddresses) this.#good.delete(this.#good.values().next().value!);
  }
}

function key(address: string, text: string): string {
  return `${networkOf(address)} ${createHash("sha256").update(text).digest("base64")}`;
}
