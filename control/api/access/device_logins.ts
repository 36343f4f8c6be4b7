import { randomBytes, randomInt } from "node:crypto";
import { networkOf } from "./network_of.ts";

/** Logins that wait at once; more are refused. */
const MAX_LOGINS = 1000;
/** Of one address, or IPv6 network. */
const MAX_LOGINS_PER_ADDRESS = 20;
const LIFETIME_MS = 10 * 60_000;
const DEVICE_CODE_BYTES = 32;
/** No vowels, which might spell something (RFC 8628 §6.1). */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LENGTH = 8;

/** A command line that waits for a person to let it in. */
export interface DeviceLogin<Grant> {
  /** What only the command line knows. */
  deviceCode: string;
  /** What the person sees on both sides: `BCDF-GHJK`. */
  userCode: string;
  /** What the command line calls itself. */
  client: string;
  /** Where it asked from. */
  address: string;
  /** Unix ms. */
  expiresMs: number;
  /** What the person allowed; `null` = nobody has said anything yet. */
  grant: Grant | null;
}

/** The logins of command lines through a browser, after RFC 8628. They live in memory, for ten minutes. */
export class DeviceLogins<Grant> {
  readonly #logins = new Map<string, DeviceLogin<Grant>>();

  /** Begins a login; `null` if too many wait. */
  begin({ client, address }: { client: string; address: string }): DeviceLogin<Grant> | null {
    this.#removeExpired();
    const network = networkOf(address);
    const own = [...this.#logins.values()].filter((login) => networkOf(login.address) === network);
    if (this.#logins.size >= MAX_LOGINS || own.length >= MAX_LOGINS_PER_ADDRESS) return null;
    const login: DeviceLogin<Grant> = {
      deviceCode: randomBytes(DEVICE_CODE_BYTES).toString("base64url"),
      userCode: randomUserCode(),
      client,
      address,
      expiresMs: Date.now() + LIFETIME_MS,
      grant: null,
    };
    this.#logins.set(login.deviceCode, login);
    return login;
  }

  /** The login with that code, however it is typed, that nobody has answered yet; or `null`. */
  byUserCode(text: string): DeviceLogin<Grant> | null {
    this.#removeExpired();
    const letters = text.toUpperCase().replace(/[^A-Z]/g, "");
    const found = [...this.#logins.values()].find(({ userCode }) => userCode.replace("-", "") === letters);
    return found?.grant === null ? found : null;
  }

  /** The login of a command line, or `null`. */
  get(deviceCode: string): DeviceLogin<Grant> | null {
    this.#removeExpired();
    return this.#logins.get(deviceCode) ?? null;
  }

  /** Ends a login. */
  end({ deviceCode }: Pick<DeviceLogin<Grant>, "deviceCode">): void {
    this.#logins.delete(deviceCode);
  }

  #removeExpired(): void {
    const now = Date.now();
    for (const [code, { expiresMs }] of this.#logins) {
      if (expiresMs <= now) this.#logins.delete(code);
    }
  }
}

function randomUserCode(): string {
  const letters = Array.from({ length: USER_CODE_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  return `${letters.slice(0, USER_CODE_LENGTH / 2)}-${letters.slice(USER_CODE_LENGTH / 2)}`;
}
