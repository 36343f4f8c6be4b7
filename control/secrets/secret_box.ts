import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
/** Of the key of a {@linkcode SecretBox}. */
export const KEY_BYTES = 32;
/** Drawn at random: safe for 2^32 of them under one key (NIST SP 800-38D §8.3). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What is sealed begins so; it is neither JSON nor PEM. */
export const SEALED_PREFIX = "v1.";

/**
 * Seals what must not be readable in the database or a copy of it: with AES-256-GCM (NIST SP 800-38D), under a key that is
 * kept elsewhere.
 */
export class SecretBox {
  readonly #key: Uint8Array;

  /** @param key 32 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) {
      throw new TypeError(`Cannot use a key of ${key.length} bytes: must be ${KEY_BYTES}`);
    }
    this.#key = key;
  }

  /** @param place What it is and whose, such as `deployments.env a1b2c3d4e5f6`: it can be opened only as that. */
  seal(text: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(new TextEncoder().encode(place));
    const sealed = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `${SEALED_PREFIX}${sealed.toString("base64url")}`;
  }

  /** @throws {Error} It was sealed with another key, as something else, or was changed since. */
  open(sealed: string, place: string): string {
    const bytes = Buffer.from(sealed.slice(SEALED_PREFIX.length), "base64url");
    if (!sealed.startsWith(SEALED_PREFIX) || bytes.length < NONCE_BYTES + TAG_BYTES) throw cannotOpen(place);
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES))
      .setAAD(new TextEncoder().encode(place))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([opened, decipher.final()]).toString("utf8");
    } catch (cause) {
      throw cannotOpen(place, cause);
    }
  }

  /** As {@linkcode SecretBox.open}; what an earlier version left plain is returned as it is. */
  openOrPlain(text: string, place: string): string {
    return text.startsWith(SEALED_PREFIX) ? this.open(text, place) : text;
  }
}

function cannotOpen(place: string, cause?: unknown): Error {
  return new Error(`Cannot open the secret "${place}": it was not sealed with this key as that`, { cause });
}
